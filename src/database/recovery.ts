/**
 * What Postgres knows of a sale that Redis has lost with its disk: enough to sell what is left, under ids that are new.
 */
import type { Refusal } from '../problems.js'
import type { SaleDefinition } from '../sale.js'
import { applyAcknowledgedShrinks, rememberedAdjustments } from './adjustments.js'
import { type Connection, inTransaction, type Pool } from './pool.js'
import { definitions } from './sales.js'

export interface RecoverableSale {
  readonly definition: SaleDefinition
  readonly lost: {
    readonly epoch: number
    readonly paused: boolean
    readonly lastEntry: string
    readonly dead: number
    readonly adjustmentIds: readonly string[]
    readonly sold: ReadonlyMap<string, number>
  }
}

/**
 * Takes a new epoch for a sale, and finishes the shrinks that it had acknowledged.
 * @returns everything that Redis has to be told, or why there is nothing to recover
 */
export function recoverableSale(pool: Pool, saleId: string): Promise<RecoverableSale | Refusal> {
  return inTransaction(pool, async (connection) => {
    const { rows: [sale] } = await connection.query<{ closed: boolean; paused: boolean }>(
      'select closed_at is not null as closed, paused from sales where sale_id = $1 and published_at is not null for no key update',
      [saleId],
    )
    if (!sale) return { refused: 'sale_not_found' }
    if (sale.closed) return { refused: 'sale_state' }
    await applyAcknowledgedShrinks(connection, saleId)
    const adjustmentIds = await rememberedAdjustments(connection, saleId)
    const epoch = await nextEpoch(connection, saleId)
    const [definition] = await definitions(connection, [saleId])
    const { dead, units } = await setApart(connection, saleId)
    const sold = await soldUnits(connection, saleId)
    for (const [sku, more] of units) sold.set(sku, (sold.get(sku) ?? 0) + more)
    const lastEntry = await lastEntryOf(connection, saleId)
    return { definition: definition!, lost: { epoch, paused: sale.paused, lastEntry, dead, adjustmentIds, sold } }
  })
}

/** @returns the published sales that are not closed: those that Redis has to have */
export async function runningSales(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ sale_id: string }>(
    'select sale_id from sales where published_at is not null and closed_at is null order by sale_id')
  return rows.map((row) => row.sale_id)
}

async function nextEpoch(connection: Connection, saleId: string): Promise<number> {
  const { rows } = await connection.query<{ epoch: number }>('update sales set epoch = epoch + 1 where sale_id = $1 returning epoch', [saleId])
  return rows[0]!.epoch
}

async function soldUnits(connection: Connection, saleId: string): Promise<Map<string, number>> {
  const { rows } = await connection.query<{ sku: string; sold: number }>('select sku, sold from sale_items where sale_id = $1', [saleId])
  return new Map(rows.map(({ sku, sold }) => [sku, sold]))
}

/** Units of orders that Postgres refused are sold as well. */
async function setApart(connection: Connection, saleId: string): Promise<{ dead: number; units: Map<string, number> }> {
  const { rows } = await connection.query<{ kind: string; entry: string }>('select kind, entry from dead_orders where sale_id = $1', [saleId])
  const units = new Map<string, number>()
  for (const { kind, entry } of rows) {
    if (kind !== 'paid') continue
    const { order } = JSON.parse(entry) as { order?: { lines: { sku: string; quantity: number }[] } }
    for (const { sku, quantity } of order?.lines ?? []) units.set(sku, (units.get(sku) ?? 0) + quantity)
  }
  return { dead: rows.length, units }
}

async function lastEntryOf(connection: Connection, saleId: string): Promise<string> {
  const { rows } = await connection.query<{ outbox_id: string }>(
    `select outbox_id
       from (select outbox_id from sale_ledger where sale_id = $1 union all select outbox_id from dead_orders where sale_id = $1) as entry
      order by split_part(outbox_id, '-', 1)::bigint desc, split_part(outbox_id, '-', 2)::bigint desc limit 1`,
    [saleId],
  )
  return rows[0]?.outbox_id ?? '0-0'
}
