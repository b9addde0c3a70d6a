/**
 * A long sale with a fault every ten seconds: no process grows, and Redis gives back all that it took.
 * By hand: `SOAK_MINUTES=60 npm run soak`.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import tap from 'tap'
import { chargeKey, paymentKey, refundKey, shardKey } from '../../src/keys.js'
import { random } from '../races/buyer.js'
import { until } from '../races/processes.js'
import { moveTime } from '../redis.js'
import { openStreet } from './street.js'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const minutes = Number(process.env['SOAK_MINUTES'] ?? 60)
const everyMs = 10_000
/** The first part of the time warms everything up. */
const warmUpShare = 0.25
/** What a process may take more in the last quarter of the time than in the one after its warm-up. */
const growthBound = 1.2
/** What Redis may keep of a sale that is over and forgotten, in bytes. */
const leftoverBytes = 2_000_000
/** Longer than anything is kept. */
const forgottenMs = 8 * 24 * 3_600_000

const residentKiB = async (pid: number): Promise<number> => Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1])

async function usedBytes(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))![1])
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

tap.test(`a sale of ${minutes} minutes with a fault every ten seconds`, async (t) => {
  t.comment(`SEED=${seed}`)
  const dice = random(seed)
  const street = await openStreet(t, seed)
  await street.heard(500)
  const glance = street.look()
  const startBytes = await usedBytes(glance)
  glance.disconnect()
  // One API process and one worker live from the first minute to the last.
  const victims = [street.apis[1]!, street.workers[1]!, street.redis, street.postgres]
  const survivors = [street.apis[0]!.name, street.workers[0]!.name]
  const samples = new Map<string, number[]>(survivors.map((name) => [name, []]))
  const endsAt = performance.now() + minutes * 60_000
  while (performance.now() < endsAt) {
    await delay(everyMs)
    const victim = dice.pick(victims)
    await victim.kill()
    await street.heard(dice.below(200))
    await victim.start()
    for (const name of survivors) samples.get(name)!.push(await residentKiB(street.running(name).pid))
  }
  await street.close()

  for (const [name, sizes] of samples) {
    const warm = sizes.slice(Math.floor(sizes.length * warmUpShare))
    const quarter = Math.ceil(warm.length / 4)
    const [early, late] = [mean(warm.slice(0, quarter)), mean(warm.slice(-quarter))]
    t.comment(`${name}: ${Math.round(early / 1_024)} MiB, then ${Math.round(late / 1_024)} MiB`)
    t.ok(late < early * growthBound, `${name} has not grown`)
  }
  const redis = street.look()
  await moveTime(redis, street.saleId, forgottenMs)
  for (const name of ['carts', 'orders', 'idempotency', 'retention', 'outbox'] as const) {
    const key = shardKey({ saleId: street.saleId, shard: 0 }, name)
    const length = async () => Number(await (name === 'retention' ? redis.zcard(key) : name === 'outbox' ? redis.xlen(key) : redis.hlen(key)))
    await until(`nothing is kept among the ${name}`, async () => (await length()) === 0, 300_000)
  }
  // The sandbox's own book, and whose a payment of a provider's own page is, go by the server's clock, which nobody moves.
  for (const match of [chargeKey('*'), refundKey('*'), paymentKey('*')]) {
    const [before, gone] = [await usedBytes(redis), { keys: 0 }]
    for await (const keys of redis.scanStream({ match, count: 1_000 }) as AsyncIterable<string[]>) {
      const left = await Promise.all(keys.map((key) => redis.ttl(key)))
      if (left.some((seconds) => seconds < 0)) t.fail(`some of ${match} would stay for ever`)
      if (keys.length > 0) await redis.del(...keys)
      gone.keys += keys.length
    }
    t.comment(`${gone.keys} of ${match} would expire; they took ${before - (await usedBytes(redis))} bytes`)
  }
  const endBytes = await usedBytes(redis)
  t.comment(`Redis: ${startBytes} bytes, then ${endBytes}`)
  t.ok(endBytes < startBytes + leftoverBytes, 'Redis has given back what the sale took')
})
