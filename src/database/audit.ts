/**
 * What Postgres knows of a sale, as of one snapshot, to be held against what Redis has counted.
 */
import { inTransaction, type Connection, type Pool } from './pool.js'

export interface SaleSnapshot {
  /** Units sold by sku, in orders up to the outbox entry asked about. */
  readonly sold: ReadonlyMap<string, number>
  /** Which of the orders asked about are here. */
  readonly orderIds: ReadonlySet<string>
  /** Paid entries that were set apart, up to the one asked about: outbox id → the entry as JSON. */
  readonly setApart: ReadonlyMap<string, string>
  /** Items of the sale whose rows do not agree with each other. */
  readonly wrong: readonly { readonly sku: string; readonly detail: string }[]
}

/** Outbox ids are two numbers, and are compared as such. */
const upTo = (column: string) => `(split_part(${column}, '-', 1)::bigint, split_part(${column}, '-', 2)::bigint)
  <= (split_part($2, '-', 1)::bigint, split_part($2, '-', 2)::bigint)`

/** @param lastEntry an outbox id: later entries are left out */
export function saleSnapshot(pool: Pool, saleId: string, lastEntry: string, orderIds: readonly string[]): Promise<SaleSnapshot> {
  return inTransaction(pool, async (connection) => {
    await connection.query('set transaction isolation level repeatable read, read only')
    return {
      sold: await soldUnits(connection, saleId, lastEntry),
      orderIds: await knownOrders(connection, orderIds),
      setApart: await setApart(connection, saleId, lastEntry),
      wrong: [...(await unbalancedItems(connection, saleId)), ...(await linesWithoutMovement(connection, saleId))],
    }
  })
}

async function soldUnits(connection: Connection, saleId: string, lastEntry: string): Promise<Map<string, number>> {
  const { rows } = await connection.query<{ sku: string; units: number }>(
    `select sku, sum(quantity)::bigint as units
       from orders join order_lines using (order_id)
      where sale_id = $1 and status = 'paid' and ${upTo('outbox_id')}
      group by sku`,
    [saleId, lastEntry],
  )
  return new Map(rows.map(({ sku, units }) => [sku, units]))
}

async function knownOrders(connection: Connection, orderIds: readonly string[]): Promise<Set<string>> {
  if (orderIds.length === 0) return new Set()
  const { rows } = await connection.query<{ order_id: string }>('select order_id from orders where order_id = any($1::text[])', [orderIds])
  return new Set(rows.map((row) => row.order_id))
}

async function setApart(connection: Connection, saleId: string, lastEntry: string): Promise<Map<string, string>> {
  const { rows } = await connection.query<{ outbox_id: string; entry: string }>(
    `select outbox_id, entry from dead_orders where sale_id = $1 and kind = 'paid' and ${upTo('outbox_id')}`,
    [saleId, lastEntry],
  )
  return new Map(rows.map((row) => [row.outbox_id, row.entry]))
}

/** The stock of the store is what its ledger comes to, and what a sale sold is what its orders come to. */
async function unbalancedItems(connection: Connection, saleId: string): Promise<{ sku: string; detail: string }[]> {
  const { rows } = await connection.query<{ sku: string; quantity: number; ledger: number; sold: number; ordered: number }>(
    `select sku, quantity, sold,
            (select coalesce(sum(delta), 0) from stock_movements where stock_movements.sku = items.sku)::bigint as ledger,
            (select coalesce(sum(order_lines.quantity), 0)
               from orders join order_lines using (order_id)
              where sale_id = $1 and status = 'paid' and order_lines.sku = items.sku)::bigint as ordered
       from sale_items join items using (sku) where sale_id = $1`,
    [saleId],
  )
  return rows.flatMap(({ sku, quantity, ledger, sold, ordered }) => [
    ...(quantity === ledger ? [] : [{ sku, detail: `the store has ${quantity}, and its ledger comes to ${ledger}` }]),
    ...(sold === ordered ? [] : [{ sku, detail: `${sold} are sold, and the orders come to ${ordered}` }]),
  ])
}

async function linesWithoutMovement(connection: Connection, saleId: string): Promise<{ sku: string; detail: string }[]> {
  const { rows } = await connection.query<{ sku: string; lines: number }>(
    `select sku, count(*)::bigint as lines
       from orders join order_lines using (order_id) left join stock_movements as movement using (order_id, sku)
      where orders.sale_id = $1 and status = 'paid' and movement.delta is distinct from -order_lines.quantity
      group by sku`,
    [saleId],
  )
  return rows.map(({ sku, lines }) => ({ sku, detail: `${lines} lines of orders have no movement of their own` }))
}
