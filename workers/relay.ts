/**
 * The relay: from the outbox to the queue. It hands out ranges of entries, never the entries themselves; any number of
 * relays work side by side, since a consumer group gives each entry to one of them.
 */
import type { Engine } from '../src/engine/engine.js'
import type { Shard } from '../src/keys.js'
import type { Logger } from '../src/log.js'
import type { PersistJob } from '../src/outbox.js'
import type { WorkQueue } from '../src/queue.js'

/** Most entries of one job. */
export const jobBound = 500
/** Most entries of one outbox that are handed out and not persisted. */
export const outstandingBound = 10_000
/** How long an entry may be out without a job before it is handed out again, in milliseconds. */
export const staleMs = 15_000

/** Persists a range without a job. A Redis that is full takes none, and only what leaves the outbox makes room in it. */
type PersistNow = (job: PersistJob) => Promise<void>

/** Hands out what is new of one outbox: full ranges, and a last one of what there is by then. */
export async function relay(engine: Engine, queue: WorkQueue, shard: Shard, persistNow: PersistNow): Promise<void> {
  for (;;) {
    const range = await engine.claim(shard, jobBound, outstandingBound)
    if (range === null) return
    const job = { ...shard, first: range.first, last: range.last }
    try {
      await queue.add(job)
    } catch (error) {
      if (!(await engine.full())) throw error
      await persistNow(job)
    }
    // What comes from now on gathers until the next turn.
    if (range.count < jobBound) return
  }
}

/** @returns whether stream id `a` comes before `b` or is the same */
function notAfter(a: string, b: string): boolean {
  const [aMs, aSequence] = a.split('-').map(BigInt) as [bigint, bigint]
  const [bMs, bSequence] = b.split('-').map(BigInt) as [bigint, bigint]
  return aMs < bMs || (aMs === bMs && aSequence <= bSequence)
}

function carries(job: PersistJob, shard: Shard, id: string): boolean {
  return job.saleId === shard.saleId && job.shard === shard.shard && notAfter(job.first, id) && notAfter(id, job.last)
}

/**
 * Hands out again what was handed out long ago and has no job: its relay died before it added one, or the queue gave
 * the job up or forgot it.
 */
export async function redeliver(engine: Engine, queue: WorkQueue, log: Logger, shard: Shard, persistNow: PersistNow): Promise<void> {
  const stale = await engine.stale(shard, staleMs, outstandingBound)
  if (stale.length === 0) return
  if (await engine.full()) {
    // No job runs now, whether or not there is one.
    for (const range of ranges(shard, stale)) await persistNow(range)
    return
  }
  const jobs = await queue.carried()
  const lost = stale.filter((id) => !jobs.some((job) => carries(job, shard, id)))
  // Other relays look as well; Redis gives each entry to one of them.
  const claimed = await engine.claimAgain(shard, staleMs, lost)
  for (const range of ranges(shard, claimed)) await queue.add(range, Date.now())
  if (claimed.length > 0) log.warn({ saleId: shard.saleId, entries: claimed.length }, 'handed out again what had lost its job')
}

/** @returns ranges of as many entries as a job carries. What lies between and has a job is persisted twice, which changes nothing. */
function ranges(shard: Shard, ids: readonly string[]): PersistJob[] {
  return Array.from({ length: Math.ceil(ids.length / jobBound) }, (_, i) => {
    const part = ids.slice(i * jobBound, (i + 1) * jobBound)
    return { ...shard, first: part[0]!, last: part.at(-1)! }
  })
}
