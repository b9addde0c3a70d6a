/**
 * Restocks and shrinks. Two stores, one order of steps: a restock is in Postgres first, then in the running sale; a
 * shrink leaves the running sale first, and Postgres follows through the outbox. Both can be cut and resumed.
 */
import { type Adjust, type Adjustment, maxQuantity } from '../contract.js'
import { newLocalId } from '../ids.js'
import type { Refusal } from '../problems.js'
import { committedUnits, lockItems } from './items.js'
import { type Connection, inTransaction, type Pool } from './pool.js'

export interface RequestedAdjustment extends Adjust {
  readonly sku: string
  readonly idempotencyKey?: string | undefined
}

/** `toRedis`: the caller has yet to apply it to the running sale, which is harmless to do twice. */
export interface StoredAdjustment {
  readonly adjustment: Adjustment
  readonly toRedis: boolean
}

/** How long a client's key is kept. */
const keyHours = 24
/** How long a running sale remembers an adjustment. */
const rememberedDays = 7
/** How long a restock may be on its way to Redis before a worker takes over. */
const resumeSeconds = 5

/**
 * Adjusts the store's stock; for a sale, a restock is stored as done and a shrink as requested, and the caller takes
 * either to Redis. A replay of a key changes nothing, and says what is still to be done.
 */
export function adjust(pool: Pool, request: RequestedAdjustment): Promise<StoredAdjustment | Refusal> {
  return inTransaction(pool, async (connection) => {
    const scope = request.saleId === undefined ? 'store' : `sale:${request.saleId}`
    if (request.idempotencyKey !== undefined) {
      // Calls with one key go one after the other, so the second sees what the first did.
      await lockKey(connection, scope, request.idempotencyKey)
      await freeOldKey(connection, scope, request.idempotencyKey)
      const earlier = await findByKey(connection, scope, request.idempotencyKey)
      if (earlier && isSame(earlier.adjustment, request)) return earlier
      if (earlier) {
        // Whatever else is wrong with another request comes before its key, but for what stock says.
        const refusal = await judge(connection, request)
        return refusal && refusal.refused !== 'below_committed' ? refusal : { refused: 'idempotency_key_reused' }
      }
    }
    const refusal = await judge(connection, request)
    if (refusal) return refusal

    const requested = request.saleId !== undefined && request.delta < 0
    const stored = await insertAdjustment(connection, scope, request, requested)
    if (!requested) {
      await insertMovement(connection, stored.adjustment)
      await changeQuantity(connection, stored.adjustment)
      if (request.saleId !== undefined) await growAllocation(connection, stored.adjustment)
    }
    return stored
  })
}

/** Notes that the running sale has the adjustment. */
export async function markAdjustmentInRedis(pool: Pool, adjustmentId: string): Promise<void> {
  await pool.query('update adjustments set in_redis = true where adjustment_id = $1 and not in_redis', [adjustmentId])
}

/** Notes that the running sale does not take a restock any more, since it has closed: the units are the store's. */
export function keepAdjustmentInStore(pool: Pool, adjustmentId: string): Promise<void> {
  return inTransaction(pool, async (connection) => {
    const { rows } = await connection.query<Adjustment>(
      `update adjustments set in_redis = true where adjustment_id = $1 and not in_redis returning ${columns}`,
      [adjustmentId],
    )
    for (const adjustment of rows) await growAllocation(connection, { ...adjustment, delta: -adjustment.delta })
  })
}

/**
 * Applies the shrinks that a sale had acknowledged and whose entries went with its disk, as far as their units are there.
 * The items are locked.
 */
export async function applyAcknowledgedShrinks(connection: Connection, saleId: string): Promise<void> {
  const { rows } = await connection.query<Adjustment>(
    `select ${columns} from adjustments where sale_id = $1 and state = 'requested' and in_redis order by sku, adjustment_id`,
    [saleId],
  )
  await lockItems(connection, [...new Set(rows.map(({ sku }) => sku))])
  for (const adjustment of rows) {
    await connection.query(`update adjustments set state = 'applied' where adjustment_id = $1`, [adjustment.adjustmentId])
    await insertMovement(connection, adjustment)
    await changeQuantity(connection, adjustment)
    await growAllocation(connection, adjustment)
  }
}

/** @returns the ids of what a sale's allocations count already; a Redis that is told of them counts none of them again */
export async function rememberedAdjustments(connection: Connection, saleId: string): Promise<string[]> {
  const { rows } = await connection.query<{ id: string }>(
    `update adjustments set in_redis = true
      where sale_id = $1 and state = 'applied' and created_at > now() - make_interval(days => $2) returning adjustment_id as id`,
    [saleId, rememberedDays],
  )
  return rows.map(({ id }) => id)
}

/** Forgets a shrink that the running sale refused, and its key: only a success is recorded. */
export async function deleteAdjustment(pool: Pool, adjustmentId: string): Promise<void> {
  await pool.query(`delete from adjustments where adjustment_id = $1 and state = 'requested' and not in_redis`, [adjustmentId])
}

/**
 * @returns restocks that Postgres has and the running sale should long have: whoever made them was cut off. A shrink
 * is not among them: it was never confirmed, so nobody counts on it
 */
export async function adjustmentsNotInRedis(pool: Pool): Promise<(Adjustment & { readonly saleId: string })[]> {
  const { rows } = await pool.query<Adjustment & { saleId: string }>(
    `select ${columns} from adjustments
      where not in_redis and state = 'applied' and created_at < now() - make_interval(secs => $1)
      order by created_at limit 100`,
    [resumeSeconds],
  )
  return rows
}

const columns = 'adjustment_id as "adjustmentId", sku, sale_id as "saleId", delta, reason'

function isSame(earlier: Adjustment, request: RequestedAdjustment): boolean {
  return earlier.sku === request.sku && earlier.delta === request.delta && earlier.reason === request.reason
}

/** @returns why the adjustment cannot be, or null; the item is locked either way */
async function judge(connection: Connection, { sku, saleId, delta }: RequestedAdjustment): Promise<Refusal | null> {
  const [item] = await lockItems(connection, [sku])
  if (!item) return { refused: 'item_not_found' }
  const tooMuch: Refusal = { refused: 'invalid_request', errors: [{ path: '/delta', message: `leads to more than ${maxQuantity} units` }] }
  if (item.quantity + delta > maxQuantity) return tooMuch
  if (saleId === undefined) {
    if (delta > 0) return null
    const committed = (await committedUnits(connection, [sku])).get(sku) ?? 0
    return item.quantity + delta < committed ? { refused: 'below_committed' } : null
  }
  const sale = await findSaleItem(connection, saleId, sku)
  if (!sale) return { refused: 'sale_not_found' }
  if (sale.allocation === null) return { refused: 'item_not_found' }
  // A sale on its way to Redis is published with the allocation of this row: an adjustment now could count twice.
  if (sale.closed || !sale.published) return { refused: 'sale_state' }
  return sale.allocation + delta > maxQuantity ? tooMuch : null
}

async function lockKey(connection: Connection, scope: string, key: string): Promise<void> {
  await connection.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${scope} ${key}`])
}

async function freeOldKey(connection: Connection, scope: string, key: string): Promise<void> {
  await connection.query(
    `update adjustments set idempotency_key = null
      where scope = $1 and idempotency_key = $2 and created_at < now() - make_interval(hours => $3)`,
    [scope, key, keyHours],
  )
}

async function findByKey(connection: Connection, scope: string, key: string): Promise<StoredAdjustment | null> {
  const { rows } = await connection.query<Adjustment & { inRedis: boolean }>(
    `select ${columns}, in_redis as "inRedis" from adjustments where scope = $1 and idempotency_key = $2`,
    [scope, key],
  )
  if (!rows[0]) return null
  const { inRedis, ...adjustment } = rows[0]
  return { adjustment, toRedis: !inRedis }
}

/** @returns the sale, its allocation of the item null where it does not sell it; or null where there is no sale */
async function findSaleItem(
  connection: Connection,
  saleId: string,
  sku: string,
): Promise<{ published: boolean; closed: boolean; allocation: number | null } | null> {
  const { rows } = await connection.query<{ published: boolean; closed: boolean; allocation: number | null }>(
    `select published_at is not null as published, closed_at is not null as closed, allocation
       from sales left join sale_items on sale_items.sale_id = sales.sale_id and sku = $2
      where sales.sale_id = $1`,
    [saleId, sku],
  )
  return rows[0] ?? null
}

async function insertAdjustment(
  connection: Connection,
  scope: string,
  { sku, saleId, delta, reason, idempotencyKey }: RequestedAdjustment,
  requested: boolean,
): Promise<StoredAdjustment> {
  const toRedis = saleId !== undefined
  const { rows } = await connection.query<Adjustment>(
    `insert into adjustments (adjustment_id, scope, idempotency_key, sku, sale_id, delta, reason, state, in_redis)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning ${columns}`,
    [
      newLocalId(), scope, idempotencyKey ?? null, sku, saleId ?? null, delta, reason,
      requested ? 'requested' : 'applied', !toRedis,
    ],
  )
  return { adjustment: rows[0]!, toRedis }
}

async function insertMovement(connection: Connection, { sku, saleId, adjustmentId, delta, reason }: Adjustment): Promise<void> {
  await connection.query(
    'insert into stock_movements (sku, sale_id, adjustment_id, delta, reason) values ($1, $2, $3, $4, $5)',
    [sku, saleId, adjustmentId, delta, reason],
  )
}

async function changeQuantity(connection: Connection, { sku, delta }: Adjustment): Promise<void> {
  await connection.query('update items set quantity = quantity + $2 where sku = $1', [sku, delta])
}

async function growAllocation(connection: Connection, { saleId, sku, delta }: Adjustment): Promise<void> {
  await connection.query('update sale_items set allocation = allocation + $3 where sale_id = $1 and sku = $2', [saleId, sku, delta])
}
