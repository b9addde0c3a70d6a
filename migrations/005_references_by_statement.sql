-- A foreign key is looked up once a row, and four of them took two fifths of what Postgres does for an order. What orders,
-- lines, movements and the ledger refer to is never deleted, so that it is there can be asked once a statement. Such a question is
-- planned when a sale begins and the tables are almost empty: left to itself, the plan would go on to read all of them.
alter table orders drop constraint orders_sale_id_fkey;
alter table order_lines drop constraint order_lines_order_id_fkey;
alter table stock_movements drop constraint stock_movements_sku_fkey;
alter table sale_ledger drop constraint sale_ledger_sale_id_fkey;

create function refuse_unknown_sales() returns trigger language plpgsql
  set search_path from current
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_material = off as $$
begin
  if exists (select from (select distinct sale_id from fresh) as named
              where not exists (select from sales where sales.sale_id = named.sale_id)) then
    raise exception '% would refer to a sale that is not there', tg_table_name using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
create trigger orders_have_a_sale after insert on orders
  referencing new table as fresh for each statement execute function refuse_unknown_sales();
create trigger sale_ledger_has_a_sale after insert on sale_ledger
  referencing new table as fresh for each statement execute function refuse_unknown_sales();

create function refuse_unknown_orders() returns trigger language plpgsql
  set search_path from current
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_material = off as $$
begin
  if exists (select from fresh where not exists (select from orders where orders.order_id = fresh.order_id)) then
    raise exception '% would refer to an order that is not there', tg_table_name using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
create trigger order_lines_have_an_order after insert on order_lines
  referencing new table as fresh for each statement execute function refuse_unknown_orders();

create function refuse_unknown_items() returns trigger language plpgsql
  set search_path from current
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_material = off as $$
begin
  if exists (select from (select distinct sku from fresh) as named
              where not exists (select from items where items.sku = named.sku)) then
    raise exception '% would refer to an item that is not there', tg_table_name using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
create trigger stock_movements_have_an_item after insert on stock_movements
  referencing new table as fresh for each statement execute function refuse_unknown_items();

-- What is referred to stays, and stays what it is.
create trigger orders_stay before delete or truncate on orders for each statement execute function refuse_change();
create trigger orders_keep_their_sale before update of sale_id, cart_id on orders for each row execute function refuse_change();
create trigger order_lines_are_facts before update or delete or truncate on order_lines for each statement execute function refuse_change();
create trigger sales_stay before delete or truncate on sales for each statement execute function refuse_change();
create trigger sales_keep_their_id before update of sale_id on sales for each row execute function refuse_change();
create trigger items_stay before delete or truncate on items for each statement execute function refuse_change();
create trigger items_keep_their_sku before update of sku on items for each row execute function refuse_change();

create trigger payments_stay before delete or truncate on payments for each statement execute function refuse_change();

-- An order has the id of its cart, and a payment that succeeded is in `payments` once: neither needs an index of its own.
alter table orders drop constraint orders_cart_id_key;
alter table orders add constraint orders_cart_check check (substr(cart_id, 2) = substr(order_id, 2));
alter table orders drop constraint orders_payment_id_key;
create unique index orders_refunded_once on orders (payment_id) where status = 'refunded';
