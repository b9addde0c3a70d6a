-- Orders come in batches of hundreds, so each index here has to prevent a double or to serve a reader.
create table orders (
  order_id text primary key,
  sale_id text not null references sales,
  cart_id text not null unique,
  status text not null check (status in ('paid', 'refunded')),
  total_amount bigint not null check (total_amount >= 0),
  currency text not null,
  customer_name text not null,
  customer_email text not null,
  customer_phone text,
  customer_address jsonb not null,
  payment_id text not null unique,
  outbox_id text not null,
  paid_at timestamptz check ((paid_at is not null) = (status = 'paid')),
  created_at timestamptz not null
);
-- Personal details may be erased; what an order came to may not be rewritten.
create trigger orders_are_facts before update of order_id, status, payment_id on orders
  for each row execute function refuse_change();

create table order_lines (
  order_id text not null references orders,
  sku text not null,
  position integer not null,
  name text not null,
  quantity bigint not null check (quantity > 0),
  unit_amount bigint not null check (unit_amount >= 0),
  primary key (order_id, sku)
);

-- `order_id` refers to nothing: money also comes for orders that nobody knows.
create table payments (
  payment_id text primary key,
  order_id text not null,
  amount bigint not null check (amount >= 0),
  currency text not null,
  status text not null check (status in ('succeeded', 'refunded')),
  refund_reason text check ((refund_reason is not null) = (status = 'refunded')),
  created_at timestamptz not null default now()
);
create trigger payments_are_facts before update on payments
  for each row execute function refuse_change();

-- An operator's restock (`delta` > 0) or shrink. `requested` until the units have left; `in_redis` once the
-- running sale has it (true where no sale is named). A client's key is scoped to the sale and the call.
create table adjustments (
  adjustment_id text primary key,
  scope text not null,
  idempotency_key text,
  sku text not null references items,
  sale_id text,
  delta bigint not null check (delta <> 0),
  reason text not null,
  state text not null check (state in ('requested', 'applied')),
  in_redis boolean not null,
  created_at timestamptz not null default now(),
  unique (scope, idempotency_key),
  foreign key (sale_id, sku) references sale_items
);
create index adjustments_not_in_redis on adjustments (created_at) where not in_redis;

-- The ledger: for every item, items.quantity = sum(delta).
create table stock_movements (
  movement_id bigint generated always as identity primary key,
  sku text not null references items,
  sale_id text,
  order_id text,
  adjustment_id text,
  delta bigint not null check (delta <> 0),
  reason text not null,
  created_at timestamptz not null default now()
);
create unique index stock_movements_once_an_order on stock_movements (order_id, sku) where order_id is not null;
create unique index stock_movements_once_an_adjustment on stock_movements (adjustment_id) where adjustment_id is not null;
create index stock_movements_item on stock_movements (sku, sale_id);
create trigger stock_movements_append_only before update or delete or truncate on stock_movements
  for each statement execute function refuse_change();

-- What could not be persisted and never will as it is: kept whole, for a person to look at.
create table dead_orders (
  sale_id text not null,
  outbox_id text not null,
  kind text not null,
  payment_id text,
  -- Text, not jsonb: what jsonb refuses is one of the reasons to be here.
  entry text not null,
  -- Null where it could not even be read.
  sqlstate text,
  reason text not null,
  created_at timestamptz not null default now(),
  primary key (sale_id, outbox_id)
);
create index dead_orders_payment on dead_orders (payment_id);
