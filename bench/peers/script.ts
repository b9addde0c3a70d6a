/**
 * What the price of a hold in Redis is compared with: the shortest script that does not oversell, one call a hold. No cart, no
 * deadline, no idempotency, no order in which lapsed units come back: a counter. It is sent over one connection, so that
 * Redis reads many calls at once and fsyncs them together; that costs it less than a connection a caller.
 *
 * Arguments: Redis' URL, the key of the stock. Each message asks for a number of holds by a number of callers, each calling again once it is answered.
 */
import { Redis } from 'ioredis'
import { build as buildHistogram } from 'hdr-histogram-js'
import type { LoadResult } from '../load.js'

export interface BareHolds {
  readonly amount: number
  readonly callers: number
}

const script = `
  local n = tonumber(ARGV[1])
  if tonumber(redis.call('get', KEYS[1])) >= n then
    return redis.call('decrby', KEYS[1], n)
  end
  return -1`

interface Scripted extends Redis {
  take(key: string, units: number): Promise<number>
}

const [redisUrl = '', stockKey = ''] = process.argv.slice(2)
// Loaded once; each call is an EVALSHA.
const redis = new Redis(redisUrl, { scripts: { take: { lua: script, numberOfKeys: 1 } }, maxRetriesPerRequest: 0 }) as Scripted

async function run({ amount, callers }: BareHolds): Promise<LoadResult> {
  const latencies = buildHistogram({ lowestDiscernibleValue: 1, highestTrackableValue: 10_000_000, numberOfSignificantValueDigits: 3 })
  const errors: Record<string, number> = {}
  let answers = 0
  let left = amount
  async function caller(): Promise<void> {
    while (left > 0) {
      left -= 1
      const asked = performance.now()
      if ((await redis.take(stockKey, 1)) >= 0) answers += 1
      else errors['refused'] = (errors['refused'] ?? 0) + 1
      latencies.recordValue(Math.max(1, Math.round((performance.now() - asked) * 1_000)))
    }
  }
  const cpu = process.cpuUsage()
  const started = performance.now()
  await Promise.all(Array.from({ length: callers }, caller))
  const seconds = (performance.now() - started) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  return {
    answers,
    errors,
    seconds,
    p50Ms: latencies.getValueAtPercentile(50) / 1_000,
    p99Ms: latencies.getValueAtPercentile(99) / 1_000,
    cpuSeconds: (user + system) / 1_000_000,
  }
}

process.on('disconnect', () => process.exit())
process.on('message', (request: BareHolds) => {
  run(request).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: String(error) }),
  )
})
