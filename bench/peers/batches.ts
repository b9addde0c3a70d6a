/**
 * What the way through outbox and queue is compared with: the same rows in the same tables, from orders that are in memory already, 500 at a time
 * over one connection. A batch is one prepared statement with binary arrays, as the engine's are: one round trip, one commit. Nothing is read
 * from Redis, no job is made, a batch that was cut is not done again, and a bad order would fail its batch.
 *
 * Argument: Postgres' URL. The message is the orders.
 */
import { Client } from 'pg'
import { texts, wholes } from '../../src/database/arrays.js'
import { ledgerRow } from '../../src/ledger.js'
import type { PaidEntry } from '../orders.js'

const batchSize = 500

const insertBatch = `
  with entry as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::text[])
      as entry (order_id, sale_id, cart_id, amount, currency, name, email, address, payment_id, outbox_id, paid_at_ms, created_at_ms, ledger)
  ), line as (
    select * from unnest($14::text[], $15::text[], $16::text[], $17::bigint[], $18::bigint[], $19::bigint[])
      as line (order_id, sale_id, sku, position, quantity, unit_amount)
  ), new_orders as (
    insert into orders (order_id, sale_id, cart_id, status, total_amount, currency, customer_name, customer_email, customer_address, payment_id, outbox_id, paid_at, created_at)
    select order_id, sale_id, cart_id, 'paid', amount, currency, name, email, address::jsonb, payment_id, outbox_id,
           to_timestamp(paid_at_ms / 1000.0), to_timestamp(created_at_ms / 1000.0) from entry
  ), new_payments as (
    insert into payments (payment_id, order_id, amount, currency, status)
    select payment_id, order_id, amount, currency, 'succeeded' from entry
  ), new_lines as (
    insert into order_lines (order_id, sku, position, name, quantity, unit_amount)
    select order_id, sku, line.position, sale_items.name, quantity, unit_amount from line join sale_items using (sale_id, sku)
  ), new_movements as (
    insert into stock_movements (sku, sale_id, order_id, delta, reason)
    select sku, sale_id, order_id, -quantity, 'sold' from line
  ), new_ledger as (
    insert into sale_ledger (sale_id, outbox_id, line) select sale_id, outbox_id, ledger from entry
  ), change as (
    select sale_id, sku, sum(quantity)::bigint as units from line group by sale_id, sku
  ), less as (
    update items set quantity = items.quantity - units from change where items.sku = change.sku
  )
  update sale_items set sold = sold + units from change where sale_items.sale_id = change.sale_id and sale_items.sku = change.sku`

async function write(client: Client, entries: readonly PaidEntry[]): Promise<void> {
  const lines = entries.flatMap(({ order }) => order.lines.map((line, position) => ({ ...line, position, orderId: order.orderId, saleId: order.saleId })))
  await client.query({
    name: 'insert-batch',
    text: insertBatch,
    values: [
      texts(entries.map(({ order }) => order.orderId)),
      texts(entries.map(({ order }) => order.saleId)),
      texts(entries.map(({ order }) => order.cartId)),
      wholes(entries.map(({ order }) => order.totalAmount)),
      texts(entries.map(({ order }) => order.currency)),
      texts(entries.map(({ order }) => order.customer.name)),
      texts(entries.map(({ order }) => order.customer.email)),
      texts(entries.map(({ order }) => JSON.stringify(order.customer.address))),
      texts(entries.map(({ payment }) => payment.paymentId)),
      texts(entries.map(({ outboxId }) => outboxId)),
      wholes(entries.map(({ paidAtMs }) => paidAtMs)),
      wholes(entries.map(({ order }) => order.createdAtMs)),
      texts(entries.map((entry) => ledgerRow(entry)?.line ?? null)),
      texts(lines.map(({ orderId }) => orderId)),
      texts(lines.map(({ saleId }) => saleId)),
      texts(lines.map(({ sku }) => sku)),
      wholes(lines.map(({ position }) => position)),
      wholes(lines.map(({ quantity }) => quantity)),
      wholes(lines.map(({ unitAmount }) => unitAmount)),
    ],
  })
}

process.on('disconnect', () => process.exit())
process.on('message', (entries: readonly PaidEntry[]) => {
  void writeAll(entries).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})

async function writeAll(entries: readonly PaidEntry[]): Promise<void> {
  const client = new Client({ connectionString: process.argv[2] ?? '' })
  await client.connect()
  for (let i = 0; i < entries.length; i += batchSize) await write(client, entries.slice(i, i + batchSize))
  await client.end()
}
