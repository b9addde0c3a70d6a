/**
 * Writes a batch of outbox entries, in a transaction of its caller: a handful of statements, however many entries.
 * Each is sent as arrays, one a column, and has a name, so a connection plans it once.
 *
 * Locks are taken in one order, orders by id, adjustments, then items by sku, then what sales sold, so that batches side by side
 * wait for each other and never in a circle. Hot rows come last: they are locked for the least time. Once it is known which
 * orders and shrinks are new, everything else is sent without waiting in between.
 */
import type { FinalOrder, OutboxEntry } from '../outbox.js'
import { ledgerRow } from '../ledger.js'
import { texts, wholes } from './arrays.js'
import { type Connection, sendTogether, type Statement } from './pool.js'

type Paid = Extract<OutboxEntry, { kind: 'paid' }>
type Refund = Extract<OutboxEntry, { kind: 'refund' }>
type Adjusted = Extract<OutboxEntry, { kind: 'adjusted' }>
type Ordered = Paid | (Refund & { readonly order: FinalOrder })

interface Line {
  readonly orderId: string
  readonly saleId: string
  readonly sku: string
  readonly position: number
  readonly quantity: number
  readonly unitAmount: number
}

interface Movement {
  readonly sku: string
  readonly saleId: string
  readonly orderId: string | null
  readonly adjustmentId: string | null
  readonly delta: number
  readonly reason: string
}

/** What an item's row and that of a sale's item change by. */
interface Change {
  readonly sku: string
  readonly saleId: string
  sold: number
  allocation: number
}

/** An entry that says nothing which could be written. */
export class UnreadableEntry extends Error {
  override readonly name = 'UnreadableEntry'
}

/**
 * What is there already is left as it is.
 * @throws DatabaseError where Postgres refuses an entry, UnreadableEntry where there is nothing to write, UnwritableValue where something in it is
 *   neither a text nor a whole number
 */
export async function writeEntries(connection: Connection, entries: readonly OutboxEntry[]): Promise<void> {
  for (const entry of entries) if (entry.kind === 'unreadable') throw new UnreadableEntry(entry.reason)
  const ordered = entries.filter(isOrdered)
  const made = await insertOrders(connection, ordered)
  const shrinks = await applyShrinks(connection, entries.filter((entry) => entry.kind === 'adjusted').filter(({ delta }) => delta < 0))

  const fresh = ordered.filter(({ order }) => made.has(order.orderId))
  const paid = fresh.filter((entry) => entry.kind === 'paid')
  const sold = paid.flatMap(linesOf)
  const returned = fresh.filter(({ kind }) => kind === 'refund').flatMap(linesOf)
  const sales = sold.map(({ orderId, saleId, sku, quantity }): Movement => ({ sku, saleId, orderId, adjustmentId: null, delta: -quantity, reason: 'sold' }))
  const movements = [...sales, ...shrinks]
  const changes = changesOf(movements)
  await sendTogether(connection, [
    insertPayments(paid),
    insertRefunds(entries.filter((entry) => entry.kind === 'refund')),
    insertLines([...sold, ...returned]),
    insertLedger(entries),
    insertMovements(movements),
    changeQuantities(changes),
    changeSaleItems(changes),
  ])
}

function isOrdered(entry: OutboxEntry): entry is Ordered {
  return (entry.kind === 'paid' || entry.kind === 'refund') && entry.order !== null
}

function linesOf({ order }: Ordered): Line[] {
  return order.lines.map((line, position) => ({ orderId: order.orderId, saleId: order.saleId, position, ...line }))
}

/**
 * Where an order is there already and says otherwise, this tries to change it, and the table refuses: an entry that
 * contradicts what is known is not taken for a repetition of it.
 * @returns the ids of those that were not there
 */
async function insertOrders(connection: Connection, entries: readonly Ordered[]): Promise<Set<string>> {
  if (entries.length === 0) return new Set()
  const { rows } = await connection.query<{ order_id: string }>({
    name: 'insert-orders',
    text: `
      insert into orders (order_id, sale_id, cart_id, status, total_amount, currency, customer_name, customer_email,
                          customer_phone, customer_address, payment_id, outbox_id, paid_at, created_at)
      select order_id, sale_id, cart_id, status, total_amount, currency, name, email, phone, address::jsonb, payment_id,
             outbox_id, to_timestamp(paid_at_ms / 1000.0), to_timestamp(created_at_ms / 1000.0)
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
                    $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[])
             as entry (order_id, sale_id, cart_id, status, total_amount, currency, name, email,
                       phone, address, payment_id, outbox_id, paid_at_ms, created_at_ms)
       order by order_id
          on conflict (order_id) do update set status = excluded.status
       where orders.status <> excluded.status
          or (orders.status = 'paid' and orders.payment_id <> excluded.payment_id)
      returning order_id`,
    values: [
      texts(entries.map(({ order }) => order.orderId)),
      texts(entries.map(({ order }) => order.saleId)),
      texts(entries.map(({ order }) => order.cartId)),
      texts(entries.map(({ kind }) => (kind === 'paid' ? 'paid' : 'refunded'))),
      wholes(entries.map(({ order }) => order.totalAmount)),
      texts(entries.map(({ order }) => order.currency)),
      texts(entries.map(({ order }) => order.customer.name)),
      texts(entries.map(({ order }) => order.customer.email)),
      texts(entries.map(({ order }) => order.customer.phone ?? null)),
      texts(entries.map(({ order }) => JSON.stringify(order.customer.address))),
      texts(entries.map(({ payment }) => payment.paymentId)),
      texts(entries.map(({ outboxId }) => outboxId)),
      wholes(entries.map((entry) => (entry.kind === 'paid' ? entry.paidAtMs : null))),
      wholes(entries.map(({ order }) => order.createdAtMs)),
    ],
  })
  return new Set(rows.map((row) => row.order_id))
}

/** Money that paid an order. That it was known before is a fault: it went back, or paid another order. */
function insertPayments(entries: readonly Paid[]): Statement | null {
  if (entries.length === 0) return null
  return {
    name: 'insert-payments',
    text: `
      insert into payments (payment_id, order_id, amount, currency, status)
      select payment_id, order_id, amount, currency, 'succeeded'
        from unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) as entry (payment_id, order_id, amount, currency)
       order by payment_id`,
    values: [
      texts(entries.map(({ payment }) => payment.paymentId)),
      texts(entries.map(({ payment }) => payment.orderId)),
      wholes(entries.map(({ payment }) => payment.amount)),
      texts(entries.map(({ payment }) => payment.currency)),
    ],
  }
}

/** Money that went back, once. That it had paid an order is a fault, and the table refuses the change. */
function insertRefunds(entries: readonly Refund[]): Statement | null {
  if (entries.length === 0) return null
  return {
    name: 'insert-refunds',
    text: `
      insert into payments (payment_id, order_id, amount, currency, status, refund_reason)
      select payment_id, order_id, amount, currency, 'refunded', reason
        from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])
             as entry (payment_id, order_id, amount, currency, reason)
       order by payment_id
          on conflict (payment_id) do update set status = excluded.status where payments.status <> excluded.status`,
    values: [
      texts(entries.map(({ payment }) => payment.paymentId)),
      texts(entries.map(({ payment }) => payment.orderId)),
      wholes(entries.map(({ payment }) => payment.amount)),
      texts(entries.map(({ payment }) => payment.currency)),
      texts(entries.map(({ reason }) => reason)),
    ],
  }
}

/** Names come from the sale; a line that the sale does not know has none, and is refused for it. */
function insertLines(lines: readonly Line[]): Statement | null {
  if (lines.length === 0) return null
  return {
    name: 'insert-lines',
    text: `
      insert into order_lines (order_id, sku, position, name, quantity, unit_amount)
      select order_id, sku, line.position, sale_items.name, quantity, unit_amount
        from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
             as line (order_id, sale_id, sku, position, quantity, unit_amount)
        left join sale_items using (sale_id, sku)`,
    values: [
      texts(lines.map(({ orderId }) => orderId)),
      texts(lines.map(({ saleId }) => saleId)),
      texts(lines.map(({ sku }) => sku)),
      wholes(lines.map(({ position }) => position)),
      wholes(lines.map(({ quantity }) => quantity)),
      wholes(lines.map(({ unitAmount }) => unitAmount)),
    ],
  }
}

/**
 * Whoever asked for a shrink may have been refused and have withdrawn it while a repetition went through: the entry
 * tells what has happened, so it is stored even where no request is left.
 * @returns the movements of those that were not applied before
 */
async function applyShrinks(connection: Connection, entries: readonly Adjusted[]): Promise<Movement[]> {
  if (entries.length === 0) return []
  const { rows } = await connection.query<Movement>({
    name: 'apply-shrinks',
    text: `
      insert into adjustments (adjustment_id, scope, sku, sale_id, delta, reason, state, in_redis)
      select adjustment_id, 'sale:' || sale_id, sku, sale_id, delta, 'shrunk', 'applied', true
        from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as entry (adjustment_id, sale_id, sku, delta)
       order by adjustment_id
          on conflict (adjustment_id) do update set state = 'applied', in_redis = true
       where adjustments.state = 'requested'
      returning sku, sale_id as "saleId", null as "orderId", adjustment_id as "adjustmentId", delta, reason`,
    values: [
      texts(entries.map(({ adjustmentId }) => adjustmentId)),
      texts(entries.map(({ saleId }) => saleId)),
      texts(entries.map(({ sku }) => sku)),
      wholes(entries.map(({ delta }) => delta)),
    ],
  })
  return rows
}

/** What each entry did to its sale, in the words of a certificate. Money that no sale knows is in none. */
function insertLedger(entries: readonly OutboxEntry[]): Statement | null {
  const rows = entries.flatMap((entry) => ledgerRow(entry) ?? [])
  if (rows.length === 0) return null
  return {
    name: 'insert-ledger',
    text: `
      insert into sale_ledger (sale_id, outbox_id, line)
      select sale_id, outbox_id, line from unnest($1::text[], $2::text[], $3::text[]) as entry (sale_id, outbox_id, line)
       where exists (select from sales where sales.sale_id = entry.sale_id)
          on conflict do nothing`,
    values: [texts(rows.map(({ saleId }) => saleId)), texts(rows.map(({ outboxId }) => outboxId)), texts(rows.map(({ line }) => line))],
  }
}

function insertMovements(movements: readonly Movement[]): Statement | null {
  if (movements.length === 0) return null
  return {
    name: 'insert-movements',
    text: `
      insert into stock_movements (sku, sale_id, order_id, adjustment_id, delta, reason)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])`,
    values: [
      texts(movements.map(({ sku }) => sku)),
      texts(movements.map(({ saleId }) => saleId)),
      texts(movements.map(({ orderId }) => orderId)),
      texts(movements.map(({ adjustmentId }) => adjustmentId)),
      wholes(movements.map(({ delta }) => delta)),
      texts(movements.map(({ reason }) => reason)),
    ],
  }
}

/** @returns what movements change, summed: hundreds of them are of a few items */
function changesOf(movements: readonly Movement[]): Change[] {
  const changes = new Map<string, Change>()
  for (const { sku, saleId, orderId, delta } of movements) {
    const key = `${saleId} ${sku}`
    let change = changes.get(key)
    if (change === undefined) changes.set(key, (change = { sku, saleId, sold: 0, allocation: 0 }))
    if (orderId === null) change.allocation += delta
    else change.sold -= delta
  }
  return [...changes.values()]
}

function changeQuantities(changes: readonly Change[]): Statement | null {
  if (changes.length === 0) return null
  return {
    name: 'change-quantities',
    text: `
      with change as (
        select sku, sum(delta)::bigint as delta from unnest($1::text[], $2::bigint[]) as change (sku, delta) group by sku
      ), locked as (
        select sku from items where sku = any($1::text[]) order by sku for no key update
      )
      update items set quantity = quantity + change.delta
        from locked join change using (sku) where items.sku = locked.sku`,
    values: [texts(changes.map(({ sku }) => sku)), wholes(changes.map(({ sold, allocation }) => allocation - sold))],
  }
}

/** Nobody changes what a sale sold or may sell without the lock of the item, so these locks need no order. */
function changeSaleItems(changes: readonly Change[]): Statement | null {
  if (changes.length === 0) return null
  return {
    name: 'change-sale-items',
    text: `
      update sale_items set sold = sale_items.sold + change.sold, allocation = sale_items.allocation + change.allocation
        from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) as change (sale_id, sku, sold, allocation)
       where sale_items.sale_id = change.sale_id and sale_items.sku = change.sku`,
    values: [
      texts(changes.map(({ saleId }) => saleId)),
      texts(changes.map(({ sku }) => sku)),
      wholes(changes.map(({ sold }) => sold)),
      wholes(changes.map(({ allocation }) => allocation)),
    ],
  }
}
