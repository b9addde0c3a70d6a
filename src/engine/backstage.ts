/**
 * What workers and operations ask: the outbox and its way to Postgres, sweeping, unanswered payments, health.
 */
import { formatId } from '../ids.js'
import { auditKey, type Shard, salesKey, shardKey, strayShard, workerKey } from '../keys.js'
import type { OutboxEntry, ProviderPayment, SoldEntry } from '../outbox.js'
import { type Core, shardOf } from './core.js'
import { decodeEntry, decodeSold } from './decode.js'

/** The consumer group of every outbox, and its one consumer: relays share the work entry by entry, not by name. */
const group = 'postgres'
const consumer = 'relay'
/** Entries of an outbox that are looked through at a time. */
const pageBound = 1_000
/** How much sooner than its turn an audit may be, in milliseconds: loops are not exact. */
const auditSlackMs = 500
/** How long a sign of life of a worker is believed, in seconds. */
const heartbeatSeconds = 15

/** Sets a key even where Redis is full: a worker that makes room in it has to be seen, and a sale to be audited. */
const setWhenFull = `#!lua flags=allow-oom
return redis.call('SET', KEYS[1], unpack(ARGV))`

/** A range of an outbox, both ends included. */
export interface OutboxRange {
  readonly first: string
  readonly last: string
  readonly count: number
}

export interface OutboxState {
  readonly saleId: string
  readonly length: number
  /** Unix milliseconds of the entry that waits longest. */
  readonly oldestMs: number | null
  /** Paid orders that Postgres has, since the sale was published. */
  readonly persisted: number
}

/** What became of an entry: Postgres has it, or it was set apart there, or there was nothing to do about it. */
export type EntryFate = 'persisted' | 'dead' | 'dropped'

export interface DueAttempt {
  readonly attempt: ProviderPayment
  readonly ask: 'find' | 'cancel'
}

export interface Backstage {
  /** @returns the shards of all published sales, and that of stray payments */
  shards(): Promise<Shard[]>
  /** Hands out the next entries, at most `count`, while fewer than `bound` are out and not persisted. */
  claim(shard: Shard, count: number, bound: number): Promise<OutboxRange | null>
  /** @returns entries, at most `count`, that were handed out `idleMs` ago or longer and are still here, oldest first */
  stale(shard: Shard, idleMs: number, count: number): Promise<string[]>
  /** Hands stale entries out again, each to one caller only. @returns those that this caller got */
  claimAgain(shard: Shard, idleMs: number, ids: readonly string[]): Promise<string[]>
  /** @returns the entries of a range that are still in the outbox, at most `count` */
  entries(shard: Shard, first: string, last: string, count: number): Promise<OutboxEntry[]>
  /** @returns what the paid entries up to one have sold; there may be hundreds of thousands */
  soldUpTo(shard: Shard, last: string): Promise<SoldEntry[]>
  /** Reads an entry that could not be read when it was set apart. */
  reread(shard: Shard, outboxId: string, fields: readonly string[]): Promise<OutboxEntry>
  /** Notes how many entries of a sale are set apart: as long as there are any, it is not closed. */
  setDead(shard: Shard, count: number): Promise<void>
  /** Takes entries out of the outbox, and marks the orders of those that Postgres has as persisted. */
  acknowledge(shard: Shard, entries: readonly OutboxEntry[], fate?: EntryFate): Promise<void>
  /** Gives back what lapsed and forgets what is over, a bounded part. @returns whether there is more to do now */
  sweep(shard: Shard): Promise<boolean>
  /** @returns payment attempts that it is time to ask the provider about, each handed to one caller only */
  dueAttempts(shard: Shard, count: number): Promise<DueAttempt[]>
  /** Closes a sale that is over. @returns whether it is closed */
  close(shard: Shard): Promise<boolean>
  /** @returns whether this caller is the one who audits the sale this time */
  mayAudit(shard: Shard, everyMs: number): Promise<boolean>
  /** A worker's sign of life. */
  heartbeat(): Promise<void>
  workerSeen(): Promise<boolean>
  /** @returns whether Redis takes no more than it gives back, and with it no job for the queue */
  full(): Promise<boolean>
  outboxes(): Promise<OutboxState[]>
}

export function createBackstage(core: Core): Backstage {
  const outbox = (shard: Shard) => shardKey(shard, 'outbox')

  async function currencyOf(shard: Shard): Promise<string> {
    return shard.saleId === '' ? '' : ((await core.catalogue(shard.saleId))?.currency ?? '')
  }

  return {
    async shards() {
      const ids = await core.redis().smembers(salesKey)
      return [...ids.map(shardOf), strayShard]
    },

    async claim(shard, count, bound) {
      const reply = String(await core.run('claim', shard, [group, consumer, count, bound]))
      if (reply === 'NONE') return null
      const [first, last, claimed] = reply.split(' ') as [string, string, string]
      return { first, last, count: Number(claimed) }
    },

    async stale(shard, idleMs, count) {
      let rows: unknown
      try {
        rows = await core.redis().xpending(outbox(shard), group, 'IDLE', idleMs, '-', '+', count)
      } catch (error) {
        // No entry was ever handed out.
        if (error instanceof Error && error.message.startsWith('NOGROUP')) return []
        throw error
      }
      return Array.isArray(rows) ? rows.map((row: unknown) => String(Array.isArray(row) ? row[0] : row)) : []
    },

    async claimAgain(shard, idleMs, ids) {
      if (ids.length === 0) return []
      const claimed = await core.redis().xclaim(outbox(shard), group, consumer, idleMs, ...ids, 'JUSTID')
      return claimed.map(String)
    },

    async entries(shard, first, last, count) {
      const currency = await currencyOf(shard)
      const rows = await core.redis().xrange(outbox(shard), first, last, 'COUNT', count)
      return rows.map(([id, fields]) => decodeEntry(shard, id, fields, currency))
    },

    async soldUpTo(shard, last) {
      const sold: SoldEntry[] = []
      for (let from = '-'; ;) {
        const rows = await core.redis().xrange(outbox(shard), from, last, 'COUNT', pageBound)
        for (const [id, fields] of rows) {
          const entry = decodeSold(shard, id, fields)
          if (entry !== null) sold.push(entry)
        }
        if (rows.length < pageBound) return sold
        from = `(${rows.at(-1)![0]}`
      }
    },

    async reread(shard, outboxId, fields) {
      return decodeEntry(shard, outboxId, fields, await currencyOf(shard))
    },

    async setDead(shard, count) {
      // Nothing is made for a sale that is not here.
      const policy = shardKey(shard, 'policy')
      if ((await core.redis().hexists(policy, 'epoch')) === 1) await core.redis().hset(policy, 'dead', count)
    },

    async acknowledge(shard, entries, fate = 'persisted') {
      if (entries.length === 0) return
      const words = entries.flatMap((entry) => {
        if (fate === 'dead') return [entry.outboxId, 'dead', '-']
        if (fate === 'dropped' || entry.kind === 'adjusted' || entry.kind === 'unreadable') return [entry.outboxId, 'other', '-']
        return [entry.outboxId, entry.kind, entry.order === null ? '-' : entry.order.orderId.slice(-22)]
      })
      await core.run('acknowledge', shard, [group, ...words])
    },

    async sweep(shard) {
      return (await core.run('sweep', shard)) === 'MORE'
    },

    async dueAttempts(shard, count) {
      const replies = await core.run('due', shard, [count])
      if (!Array.isArray(replies) || replies.length < 2) return []
      const currency = await currencyOf(shard)
      const epoch = Number(replies[0])
      return replies.slice(1).map((reply: unknown): DueAttempt => {
        const [local, paymentId, amount, ask] = String(reply).split(' ') as [string, string, string, 'find' | 'cancel']
        return { ask, attempt: { paymentId, orderId: formatId('o', shard, epoch, local), amount: Number(amount), currency } }
      })
    },

    async close(shard) {
      return (await core.run('close', shard)) === 'CLOSED'
    },

    async mayAudit({ saleId }, everyMs) {
      return (await core.redis().eval(setWhenFull, 1, auditKey(saleId), '1', 'PX', everyMs - auditSlackMs, 'NX')) === 'OK'
    },

    async heartbeat() {
      await core.redis().eval(setWhenFull, 1, workerKey, Date.now(), 'EX', heartbeatSeconds)
    },

    async workerSeen() {
      return (await core.redis().exists(workerKey)) === 1
    },

    async full() {
      const info = await core.redis().info('memory')
      const [used, bound] = [/^used_memory:(\d+)/m, /^maxmemory:(\d+)/m].map((pattern) => Number(pattern.exec(info)?.[1] ?? 0)) as [number, number]
      return bound > 0 && used >= bound
    },

    async outboxes() {
      const redis = core.redis()
      const ids = await redis.smembers(salesKey)
      return Promise.all([...ids.map(shardOf), strayShard].map(async (shard) => {
        const [length, oldest, persisted] = await Promise.all([
          redis.xlen(outbox(shard)),
          redis.xrange(outbox(shard), '-', '+', 'COUNT', 1),
          redis.hget(shardKey(shard, 'policy'), 'persisted'),
        ])
        const first = oldest[0]?.[0]
        return {
          saleId: shard.saleId,
          length,
          oldestMs: first === undefined ? null : Number(first.split('-')[0]),
          persisted: Number(persisted ?? 0),
        }
      }))
    },
  }
}
