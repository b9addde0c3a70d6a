/**
 * Sales to measure on, and what their counters say.
 */
import { saleDefaults } from '../src/contract.js'
import { salesKey, shardKey, shardKeys } from '../src/keys.js'
import { isRefusal, type Refusal } from '../src/problems.js'
import { DoesNotCount, mustBe } from './figures.js'
import type { Stage } from './stage.js'

/** Longer than any run: what is held stays held, and is counted in the end. */
const holdSeconds = 86_400
export const price = { amount: 1_999, currency: 'USD' }

export function accepted<T>(result: T | Refusal): T {
  if (isRefusal(result)) throw new DoesNotCount(`the engine refused: ${JSON.stringify(result)}`)
  return result
}

/** Makes items and a sale of all of them, open at once; the store has as many of each as the sale may sell. */
export async function publishSale({ database, engine }: Stage, saleId: string, skus: readonly string[], allocation: number): Promise<void> {
  for (const sku of skus) {
    accepted(await database.putItem(sku, { name: `Item ${sku}`, description: 'As pictured', price, quantity: allocation }))
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
  const raw = await redis.hget(shardKey({ saleId, shard: 0 }, 'stock'), sku)
  const [allocation = NaN, available = NaN, inCarts = NaN, inOrders = NaN, sold = NaN] = (raw ?? '').split(' ').map(Number)
  const held = inCarts + inOrders
  mustBe(`available + held + sold of ${sku}`, available + held + sold, allocation)
  mustBe(`the least counter of ${sku} is not negative`, Math.min(available, held, sold) >= 0, true)
  return { allocation, available, held, sold }
}
