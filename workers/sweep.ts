/**
 * Housekeeping of the sales: gives back what lapsed where nobody asks, forgets what is over, closes what has ended, and
 * finishes what an operator's call that was cut left half done.
 */
import type { Database } from '../src/database.js'
import type { Engine } from '../src/engine/engine.js'
import { type Shard, strayShard } from '../src/keys.js'
import { isRefusal } from '../src/problems.js'
import type { Logger } from '../src/log.js'

/** Most calls of the sweep script in one turn of one shard. */
const sweepBound = 400

const listEveryMs = 1_000
const closedEveryMs = 10_000

/** Which sales this process has seen closed. There may be many, and little happens in them. */
export type ClosedSales = Set<string>

/**
 * The rounds of one loop through the shards of all sales.
 * @returns what gives the shards of the next round; those of closed sales come only now and then
 */
export function createRounds(engine: Engine, closed: ClosedSales): () => Promise<readonly Shard[]> {
  let shards: readonly Shard[] = []
  let listedAtMs = -Infinity
  let allAtMs = -Infinity
  return async () => {
    const nowMs = performance.now()
    if (nowMs - listedAtMs >= listEveryMs) {
      shards = await engine.shards()
      listedAtMs = nowMs
    }
    if (nowMs - allAtMs < closedEveryMs) return shards.filter((shard) => !closed.has(shard.saleId))
    allAtMs = nowMs
    return shards
  }
}

/** Sweeps one shard until nothing is due, and closes its sale when that is over. `onClosed` is told of it, more than once maybe. */
export async function sweep(engine: Engine, database: Database, closed: ClosedSales, shard: Shard, onClosed: (saleId: string) => Promise<void>): Promise<void> {
  for (let call = 0; call < sweepBound; call += 1) {
    if (!(await engine.sweep(shard))) break
  }
  if (shard.saleId === strayShard.saleId || closed.has(shard.saleId) || !(await engine.close(shard))) return
  // Redis first: what a closed sale did not sell is free for others only once it cannot sell any more.
  await database.markClosed(shard.saleId)
  await onClosed(shard.saleId)
  closed.add(shard.saleId)
}

/** Finishes what was stored in Postgres and never came to Redis. */
export async function resume(engine: Engine, database: Database, log: Logger): Promise<void> {
  for (const definition of await database.unpublishedSales()) {
    const { startsAtMs } = await engine.publish(definition)
    await database.markPublished(definition.saleId, startsAtMs)
    log.info({ saleId: definition.saleId }, 'published a sale whose publisher was cut off')
  }
  for (const { adjustmentId, saleId, sku, delta } of await database.adjustmentsNotInRedis()) {
    const refusal = await engine.adjust(saleId, sku, delta, adjustmentId)
    // A sale that has closed meanwhile needs no units: they are the store's.
    if (isRefusal(refusal) && refusal.refused !== 'sale_state') {
      log.error({ saleId, sku, delta, refused: refusal.refused }, 'a restock that Postgres has cannot reach its sale')
      continue
    }
    await (refusal === null ? database.markAdjustmentInRedis(adjustmentId) : database.keepAdjustmentInStore(adjustmentId))
  }
}
