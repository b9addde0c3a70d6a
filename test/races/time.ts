/** Time that passes for the stores alone, so that nobody has to wait for it. */
import type { Redis } from 'ioredis'
import { shardKey } from '../../src/keys.js'

/** Makes time pass for the queue and the outbox alone: no lock of a job holds, and whatever was handed out was so long ago. */
export async function long(redis: Redis, saleId: string): Promise<void> {
  const locks = await redis.keys('fs:{queue}:*:lock')
  if (locks.length > 0) await redis.del(...locks)
  const outbox = shardKey({ saleId, shard: 0 }, 'outbox')
  const out = await redis.xpending(outbox, 'postgres', '-', '+', 1_000) as [string, ...unknown[]][]
  const ids = out.map(([id]) => id)
  if (ids.length > 0) await redis.xclaim(outbox, 'postgres', 'relay', 0, ...ids, 'IDLE', 3_600_000, 'JUSTID')
}

/** Makes the queue forget every job, as one does that has lost them. */
export async function loseJobs(redis: Redis): Promise<boolean> {
  const keys = await redis.keys('fs:{queue}:*')
  if (keys.length > 0) await redis.del(...keys)
  return keys.length === 0
}

/** @returns how many entries of the outbox are handed out and not persisted */
export async function handedOut(redis: Redis, saleId: string): Promise<number> {
  const [count] = await redis.xpending(shardKey({ saleId, shard: 0 }, 'outbox'), 'postgres').catch(() => [0]) as [number]
  return count
}
