-- Ids are chosen by the operator, money is minor units of an ISO 4217 currency, times are UTC.

-- Rows of the ledger, of payments and of orders are facts: what has happened once stays so.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% of % is refused: its rows are facts', tg_op, tg_table_name
    using errcode = 'restrict_violation';
end $$;

-- `quantity` is the stock of the store; nothing but a movement in the ledger changes it.
create table items (
  sku text primary key,
  name text not null,
  description text not null,
  price_amount bigint not null check (price_amount >= 0),
  currency text not null,
  quantity bigint not null constraint items_quantity_check check (quantity >= 0),
  -- Lets a repeated PUT that makes the item be told from one that wants another quantity.
  made_with_quantity bigint not null,
  created_at timestamptz not null default now()
);

create table sales (
  sale_id text primary key,
  name text not null,
  currency text not null,
  -- Null until Redis has it, where the sale is to open at once.
  starts_at timestamptz,
  ends_at timestamptz,
  hold_at text not null check (hold_at in ('cart', 'checkout')),
  hold_seconds integer not null check (hold_seconds > 0),
  max_hold_seconds integer not null check (max_hold_seconds >= hold_seconds),
  payment_seconds integer not null check (payment_seconds > 0),
  pending_seconds integer not null check (pending_seconds > 0),
  low_stock_at bigint not null check (low_stock_at >= 0),
  -- Part of every id: a sale that was rebuilt after Redis lost it voids the ids of before.
  epoch integer not null default 1 check (epoch > 0),
  created_at timestamptz not null default now(),
  -- Null until Redis has the sale.
  published_at timestamptz,
  -- Null while something of it may still be sold or persisted.
  closed_at timestamptz
);
create index sales_unpublished on sales (created_at) where published_at is null;
create index sales_unclosed on sales (sale_id) where closed_at is null;

-- Name, description and prices are a copy: a sale that runs does not change with the catalogue.
create table sale_items (
  sale_id text not null references sales,
  sku text not null references items,
  position integer not null,
  name text not null,
  description text not null,
  price_amount bigint not null check (price_amount >= 0),
  list_price_amount bigint,
  allocation bigint not null,
  sold bigint not null default 0,
  max_per_cart bigint check (max_per_cart > 0),
  primary key (sale_id, sku),
  constraint sale_items_sold_check check (sold between 0 and allocation)
);
create index sale_items_sku on sale_items (sku);
