-- The ledger of a sale as its outbox told it, entry by entry, with the counters of the items right after each: what a certificate
-- is made from. Ids of orders are capabilities, so only their digests stand here.
create table sale_ledger (
  sale_id text not null references sales,
  outbox_id text not null,
  -- One line of JSON, just as it will stand in the certificate.
  line text not null,
  primary key (sale_id, outbox_id)
);
create trigger sale_ledger_rows_are_facts before update or delete or truncate on sale_ledger
  for each statement execute function refuse_change();

-- What each item came to once its sale was closed.
create table sale_results (
  sale_id text not null,
  sku text not null,
  allocation bigint not null,
  sold bigint not null,
  given_back bigint not null,
  primary key (sale_id, sku),
  foreign key (sale_id, sku) references sale_items,
  constraint sale_results_add_up check (sold >= 0 and given_back >= 0 and allocation = sold + given_back)
);

-- The end of a certificate's chain: an export that does not come to this hash is not what was certified.
create table certificates (
  sale_id text primary key references sales,
  entries bigint not null,
  last_entry text not null,
  hash text not null,
  closed_at timestamptz not null
);

-- What an item was published with; `allocation` moves with its adjustments.
alter table sale_items add column loaded bigint;
update sale_items set loaded = allocation - coalesce((
  select sum(delta) from adjustments
   where adjustments.sale_id = sale_items.sale_id and adjustments.sku = sale_items.sku and state = 'applied'), 0);
alter table sale_items alter column loaded set not null;
