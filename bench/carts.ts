/** Live carts in numbers, made by the engine's own hold script, in batches as full as the API sends them. */
import { batchBound } from '../src/engine/batch.js'
import { MadeAlike, runHolds } from '../src/engine/hold-call.js'
import { type Shard, shardKey } from '../src/keys.js'
import { mustBe } from './figures.js'
import { holdSeconds } from './shop.js'
import type { Stage } from './stage.js'

const shardOf = (saleId: string): Shard => ({ saleId, shard: 0 })

/** Calls on their way at once: as many as an API process has. */
const callsAtOnce = 2

/** Makes so many carts of one line with one unit. */
export async function seedCarts({ redis }: Stage, saleId: string, sku: string, count: number): Promise<void> {
  let left = count
  async function seed(): Promise<void> {
    while (left > 0) {
      const size = Math.min(batchBound, left)
      left -= size
      const replies = await runHolds(redis, shardOf(saleId), Array.from({ length: size }, () => `C . . ${sku}=1`))
      mustBe('carts that a call made', Array.isArray(replies) ? replies.filter((reply) => reply instanceof MadeAlike || String(reply).startsWith('OK open ')).length : 0, size)
    }
  }
  await Promise.all(Array.from({ length: callsAtOnce }, seed))
}

export const cartsOf = ({ redis }: Stage, saleId: string): Promise<number> => redis.hlen(shardKey(shardOf(saleId), 'carts'))

/** How far apart the deadlines of carts are that lapse one after another, in ms. */
const stepMs = 10

/**
 * Makes so many carts, whose deadlines lie evenly in one second. The sale's time is set ahead for that, and stands still there.
 * @returns what moves its time on, so that the first of them lapses in `leadMs`
 */
export async function seedLapsing(stage: Stage, saleId: string, sku: string, count: number): Promise<(leadMs: number) => Promise<void>> {
  const { redis } = stage
  const policy = shardKey(shardOf(saleId), 'policy')
  const steps = 1_000 / stepMs
  const fromMs = (await clock(stage)) + 3_600_000
  for (let step = 0; step < steps; step += 1) {
    await redis.hset(policy, 'clock', fromMs + step * stepMs)
    await seedCarts(stage, saleId, sku, Math.floor(((step + 1) * count) / steps) - Math.floor((step * count) / steps))
  }
  return async (leadMs) => {
    await redis.hset(policy, 'offset', fromMs + holdSeconds * 1_000 - leadMs - (await clock(stage)))
  }
}

/** @returns Redis' clock, in Unix milliseconds */
async function clock({ redis }: Stage): Promise<number> {
  const [seconds, micros] = await redis.time()
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}
