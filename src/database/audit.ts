/**
 * What Postgres knows of a sale, as of one snapshot, to be held against what Redis has counted.
 */
import { texts } from './arrays.js'
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
    const items = await countedItems(connection, saleId, lastEntry)
    return {
      sold: new Map(items.map(({ sku, soldUpTo }) => [sku, soldUpTo])),
      orderIds: await knownOrders(connection, orderIds),
      setApart: await setApart(connection, saleId, lastEntry),
      wrong: items.flatMap(judge),
    }
  })
}

interface CountedItem {
  readonly sku: string
  /** The stock of the store, and what its ledger comes to. */
  readonly quantity: number
  readonly ledger: number
  /** What the sale says that it sold, what its orders come to, and those of them up to the entry asked about. */
  readonly sold: number
  readonly ordered: number
  readonly soldUpTo: number
  /** Lines of orders without a movement of their own. */
  readonly unmoved: number
}

/**
 * Every order is read once, whatever the number of items. A movement is found by its order, never by its item: before Postgres has analyzed
 * the tables of a sale that has just begun, it takes the index of items for as good, and reads all of a hot item's movements for each of its lines.
 */
async function countedItems(connection: Connection, saleId: string, lastEntry: string): Promise<CountedItem[]> {
  const { rows } = await connection.query<CountedItem>(
    `with ordered as (
       select order_lines.sku, sum(order_lines.quantity) as units,
              sum(order_lines.quantity) filter (where ${upTo('outbox_id')}) as units_up_to,
              count(*) filter (where movement.delta is distinct from -order_lines.quantity) as unmoved
         from orders join order_lines using (order_id)
         left join stock_movements as movement on movement.order_id = orders.order_id and movement.sku || '' = order_lines.sku
        where orders.sale_id = $1 and status = 'paid'
        group by order_lines.sku
     ), ledger as (
       select sku, sum(delta) as units from stock_movements
        where sku in (select sku from sale_items where sale_id = $1)
        group by sku
     )
     select sku, case when sold is null then 0 else items.quantity end as quantity, coalesce(ledger.units, 0)::bigint as ledger, coalesce(sold, 0) as sold,
            coalesce(ordered.units, 0)::bigint as ordered, coalesce(units_up_to, 0)::bigint as "soldUpTo", coalesce(unmoved, 0) as unmoved
       from (select sku, sold from sale_items where sale_id = $1) as its full join ordered using (sku)
       left join items using (sku) left join ledger using (sku)`,
    [saleId, lastEntry],
  )
  return rows
}

function judge({ sku, quantity, ledger, sold, ordered, unmoved }: CountedItem): { sku: string; detail: string }[] {
  return [
    ...(quantity === ledger ? [] : [{ sku, detail: `the store has ${quantity}, and its ledger comes to ${ledger}` }]),
    ...(sold === ordered ? [] : [{ sku, detail: `${sold} are sold, and the orders come to ${ordered}` }]),
    ...(unmoved === 0 ? [] : [{ sku, detail: `${unmoved} lines of orders have no movement of their own` }]),
  ]
}

async function knownOrders(connection: Connection, orderIds: readonly string[]): Promise<Set<string>> {
  if (orderIds.length === 0) return new Set()
  const { rows } = await connection.query<{ order_id: string }>('select order_id from orders where order_id = any($1::text[])', [texts(orderIds)])
  return new Set(rows.map((row) => row.order_id))
}

async function setApart(connection: Connection, saleId: string, lastEntry: string): Promise<Map<string, string>> {
  const { rows } = await connection.query<{ outbox_id: string; entry: string }>(
    `select outbox_id, entry from dead_orders where sale_id = $1 and kind = 'paid' and ${upTo('outbox_id')}`,
    [saleId, lastEntry],
  )
  return new Map(rows.map((row) => [row.outbox_id, row.entry]))
}
