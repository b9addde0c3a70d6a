/**
 * The tables of a shop on Postgres alone, as lean as they can be while they hold what the shop answers: no index but the primary keys,
 * no foreign keys, room in every page so that an update stays in it (HOT) and touches no index.
 */
export const peerTables = `
  create schema peer;
  create table peer.items (
    sku text primary key, name text not null, price_amount bigint not null, currency text not null,
    allocation bigint not null, available bigint not null check (available >= 0)
  ) with (fillfactor = 10);
  create table peer.carts (
    cart_id text primary key, sku text not null, quantity bigint not null, status text not null, expires_at timestamptz not null
  ) with (fillfactor = 60);
  create table peer.orders (
    order_id text primary key, cart_id text not null, status text not null, total_amount bigint not null, currency text not null,
    customer jsonb not null, payment_id text, pay_by timestamptz not null, paid_at timestamptz, created_at timestamptz not null
  ) with (fillfactor = 60);
  create table peer.order_lines (
    order_id text, sku text, name text not null, quantity bigint not null, unit_amount bigint not null, primary key (order_id, sku)
  );
  create table peer.payments (
    payment_id text primary key, order_id text not null, amount bigint not null, currency text not null, status text not null
  );`

/** $1 sku, $2 units, $3 price, $4 currency. */
export const peerItem = `insert into peer.items values ($1, 'Item ' || $1, $3, $4, $2, $2)`

/**
 * A cart of $2 units of item $1, named $3: the units are taken and the hold is inserted, or neither, in one statement. The row of the item is locked from
 * the update until the commit has been fsynced; no statement can lock it for less.
 */
export const takeUnits = `
  with taken as (
    update peer.items set available = available - $2::bigint where sku = $1 and available >= $2::bigint
    returning sku, name, price_amount, currency, allocation, available
  ), cart as (
    insert into peer.carts (cart_id, sku, quantity, status, expires_at)
    select $3, sku, $2::bigint, 'open', now() + interval '10 minutes' from taken
    returning expires_at
  )
  select taken.*, cart.expires_at from taken, cart`

/**
 * Cart $1 becomes order $2 of customer $3, in one statement. What is held and what is sold is not told apart in the item's row: that would be a second
 * update of the one row that everybody waits for.
 */
export const checkOut = `
  with cart as (
    update peer.carts set status = 'checked_out' where cart_id = $1 and status = 'open' and expires_at > now()
    returning sku, quantity
  ), line as (
    insert into peer.order_lines (order_id, sku, name, quantity, unit_amount)
    select $2, sku, name, quantity, price_amount from cart join peer.items using (sku)
    returning sku, name, quantity, unit_amount
  ), made as (
    insert into peer.orders (order_id, cart_id, status, total_amount, currency, customer, pay_by, created_at)
    select $2, $1, 'awaiting_payment', quantity * price_amount, currency, $3::jsonb, now() + interval '10 minutes', now()
      from cart join peer.items using (sku)
    returning cart_id, total_amount, pay_by, created_at
  )
  select made.*, line.*, items.currency, items.allocation, items.available
    from made, line join peer.items using (sku)`

/** Order $1 is paid by payment $2, in one statement: the provider has said yes already. */
export const payOrder = `
  with paid as (
    update peer.orders set status = 'paid', payment_id = $2, paid_at = now()
     where order_id = $1 and status = 'awaiting_payment' and pay_by > now()
    returning order_id, cart_id, total_amount, currency, customer, paid_at, created_at
  ), payment as (
    insert into peer.payments (payment_id, order_id, amount, currency, status)
    select $2, order_id, total_amount, currency, 'succeeded' from paid
  )
  select paid.*, line.sku, line.name, line.quantity, line.unit_amount, items.allocation, items.available
    from paid join peer.order_lines as line using (order_id) join peer.items using (sku)`
