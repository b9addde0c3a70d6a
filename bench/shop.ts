/**
 * Sales to measure on, and what their counters say.
 */
import { saleDefaults } from '../src/contract.js'
import { salesKey, shardKey, shardKeys } from '../src/keys.js'
import { isRefusal, type Refusal } from '../src/problems.js'
import { DoesNotCount, mustBe } from './figures.js'
import type { Stage } from './stage.js'

/** Longer than any run: what is held stays held, and is counted in the end. */
export const holdSeconds = 86_400
/** Items that are put into the catalogue at once. */
const atOnce = 50
export const price = { amount: 1_999, currency: 'USD' }

export function accepted<T>(result: T | Refusal): T {
  if (isRefusal(result)) throw new DoesNotCount(`the engine refused: ${JSON.stringify(result)}`)
  return result
}

/** Makes items and a sale of all of them, open at once; the store has as many of each as the sale may sell. */
export async function publishSale({ database, engine }: Stage, saleId: string, skus: readonly string[], allocation: number): Promise<void> {
  for (let from = 0; from < skus.length; from += atOnce) {
    await Promise.all(skus.slice(from, from + atOnce).map(async (sku) =>
      accepted(await database.putItem(sku, { name: `Item ${sku}`, description: 'As pictured', price, quantity: allocation }))))
  }
  const definition = accepted(await database.createSale({
    ...saleDefaults,
    saleId,
    name: 'Bench',
    holdSeconds,
    maxHoldSeconds: holdSeconds,
    items: skus.map((sku) => ({ sku, allocation })),
  }))
  const { startsAtMs } = await engine.publish(definition)
  await database.markPublished(saleId, startsAtMs)
}

/** Frees the memory of a sale that nobody asks for any more, so that it does not weigh on what is measured next. */
export async function forgetSale({ redis, postgres }: Stage, saleId: string): Promise<void> {
  await postgres.query('update sales set closed_at = now() where sale_id = $1', [saleId])
  await redis.srem(salesKey, saleId)
  await redis.unlink(shardKeys({ saleId, shard: 0 }))
}

export interface Counters {
  readonly allocation: number
  readonly available: number
  readonly held: number
  readonly sold: number
}

/** Reads an item's counters as they stand in Redis. @throws DoesNotCount where they do not add up */
export async function countersOf({ redis }: Stage, saleId: string, sku: string): Promise<Counters> {
  return parseCounters(sku, (await redis.hget(shardKey({ saleId, shard: 0 }, 'stock'), sku)) ?? '')
}

/** @returns the units that are held of all items of a sale @throws DoesNotCount where the counters of one do not add up */
export async function heldIn({ redis }: Stage, saleId: string): Promise<number> {
  const stock = await redis.hgetall(shardKey({ saleId, shard: 0 }, 'stock'))
  return Object.entries(stock).reduce((sum, [sku, text]) => sum + parseCounters(sku, text).held, 0)
}

function parseCounters(sku: string, text: string): Counters {
  const [allocation = NaN, available = NaN, inCarts = NaN, inOrders = NaN, sold = NaN] = text.split(' ').map(Number)
  const held = inCarts + inOrders
  mustBe(`available + held + sold of ${sku}`, available + held + sold, allocation)
  mustBe(`the least counter of ${sku} is not negative`, Math.min(available, held, sold) >= 0, true)
  return { allocation, available, held, sold }
}
