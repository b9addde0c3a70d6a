/**
 * What changes about a sale, for all who watch it: one read and one serialization serve every watcher of a process, and nothing
 * is read while nobody watches.
 */
import type { Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Sale, SaleItem, StockEvent } from './contract.js'
import { isRefusal, type Refusal } from './problems.js'

/** Least time from one read of a sale to the next, in ms. */
const paceMs = 250
/** To how much it stretches while a process has much to do, in ms. */
const slowestPaceMs = 1_000
/** The part of that time which reading, and telling all who watch, may take before it stretches. */
const busyShare = 0.1
/** How often a connection shows that it lives, in ms. */
const heartbeatMs = 15_000
/** How long a client should wait before it connects again, in ms. */
const retryMs = 2_000
/** Bytes that may wait for one watcher; who has more waiting is dropped. A whole snapshot of the largest sale fits. */
export const unsentBound = 2 * 1_024 * 1_024
/** Most watchers of one process. */
const watchersBound = 10_000
/** Watchers that are written to in one turn of the event loop: requests are served in between. */
const turnBound = 256

const heartbeat = Buffer.from(':\n\n')
const overloaded: Refusal = { refused: 'overloaded', retryAfterSeconds: 5 }

export interface Timers {
  /** @returns a time that never goes back, in ms */
  now(): number
  /** @returns what calls it off */
  after(ms: number, work: () => void): () => void
}

const realTimers: Timers = {
  now: () => performance.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms)
    return () => clearTimeout(timer)
  },
}

export interface FeedOptions {
  readonly read: (saleId: string) => Promise<Sale | Refusal>
  /** Is told of every watcher that read too slowly. */
  readonly onDropped: () => void
  readonly timers: Timers
  /** Most watchers at a time. */
  readonly bound: number
}

export interface Watcher {
  /** Where its events go. */
  readonly outlet: Writable
  /** Called once, right before the first event. */
  readonly begin: () => void
  readonly serialize: (event: StockEvent) => string
}

export interface Feeds {
  /**
   * Tells a watcher of a sale, with numbers that are read after this call, until its connection ends.
   * @returns null once the snapshot has gone out @throws where the sale cannot be read
   */
  watch(saleId: string, watcher: Watcher): Promise<Refusal | null>
  /** @returns how many watch, or wait for their snapshot */
  watchers(): number
  /** Ends every stream. One that begins later gets its snapshot and ends: its client comes back to another process. */
  end(): void
}

export function createFeeds({ read, onDropped, timers = realTimers, bound = watchersBound }: Partial<FeedOptions> & Pick<FeedOptions, 'read' | 'onDropped'>): Feeds {
  const feeds = new Map<string, Feed>()
  let ending = false
  const watchers = () => {
    let count = 0
    for (const feed of feeds.values()) count += feed.watchers()
    return count
  }
  return {
    watchers,
    async watch(saleId, watcher) {
      if (watchers() >= bound) return overloaded
      const known = feeds.get(saleId)
      if (known !== undefined) return known.join(watcher)
      // Its last watcher may be heard to have gone once more when another feed has taken its place.
      const onIdle = () => feeds.get(saleId) === feed && feeds.delete(saleId)
      const feed = openFeed({ timers, onDropped, serialize: watcher.serialize, read: () => read(saleId), onIdle, isEnding: () => ending })
      feeds.set(saleId, feed)
      return feed.join(watcher)
    },
    end() {
      ending = true
      for (const feed of feeds.values()) feed.end()
    },
  }
}

interface FeedParts {
  readonly read: () => Promise<Sale | Refusal>
  readonly serialize: Watcher['serialize']
  readonly timers: Timers
  readonly onDropped: () => void
  /** Called when nobody is left; the feed is not used again. */
  readonly onIdle: () => void
  readonly isEnding: () => boolean
}

interface Feed {
  join(watcher: Watcher): Promise<Refusal | null>
  watchers(): number
  end(): void
}

interface Joining extends Watcher {
  readonly resolve: (refusal: Refusal | null) => void
  readonly reject: (error: unknown) => void
}

/** The watchers of one sale. It reads while it has any, and what it saw last is what each of them knows. */
function openFeed({ read, serialize, timers, onDropped, onIdle, isEnding }: FeedParts): Feed {
  const outlets = new Set<Writable>()
  let joining: Joining[] = []
  let waiting = 0
  let seen: Sale | null = null
  let started = false
  let inRound = false
  let cancelRound = (): void => undefined
  let cancelHeartbeat = timers.after(heartbeatMs, beat)

  function beat(): void {
    void inTurns([...outlets], (outlet) => send(outlet, heartbeat))
    cancelHeartbeat = timers.after(heartbeatMs, beat)
  }

  async function round(): Promise<void> {
    inRound = true
    const begunMs = timers.now()
    // Who comes while Redis is asked waits for the next answer: this one may be older than their question.
    const joiners = joining
    joining = []
    try {
      const sale = await read()
      if (isRefusal(sale)) refuse(joiners, sale)
      else await tell(joiners, sale)
    } catch (error) {
      // Who watches already keeps what it has, and hears of what changed once the sale can be read again.
      for (const joiner of joiners) joiner.reject(error)
    }
    inRound = false
    if (stopIfIdle()) return
    const busyMs = timers.now() - begunMs
    cancelRound = timers.after(Math.min(slowestPaceMs, Math.max(paceMs, Math.round(busyMs / busyShare))), () => void round())
  }

  function refuse(joiners: readonly Joining[], refusal: Refusal): void {
    for (const joiner of joiners) joiner.resolve(refusal)
    if (refusal.refused === 'sale_not_found') end()
  }

  async function tell(joiners: readonly Joining[], sale: Sale): Promise<void> {
    const others = [...outlets]
    const changes = seen === null || others.length === 0 ? null : changesBetween(seen, sale)
    seen = sale
    if (joiners.length > 0) {
      const snapshot = Buffer.from(`retry: ${retryMs}\n${frame(eventOf(sale, sale.items ?? []))}`)
      await inTurns(joiners, (joiner) => start(joiner, snapshot))
    }
    if (changes !== null) {
      const changed = Buffer.from(frame(changes))
      await inTurns(others, (outlet) => send(outlet, changed))
    }
  }

  const frame = (event: StockEvent) => `event: stock\ndata: ${serialize(event)}\n\n`

  function start({ outlet, begin, resolve }: Joining, snapshot: Buffer): void {
    if (!outlet.destroyed) {
      begin()
      outlets.add(outlet)
      outlet.once('close', () => {
        outlets.delete(outlet)
        stopIfIdle()
      })
      outlet.write(snapshot)
      if (isEnding()) outlet.end()
    }
    resolve(null)
  }

  function send(outlet: Writable, bytes: Buffer): void {
    if (outlet.destroyed || outlet.writableEnded) return
    if (outlet.writableLength <= unsentBound) {
      outlet.write(bytes)
      return
    }
    outlets.delete(outlet)
    outlet.destroy()
    onDropped()
  }

  /** Whether nobody is left: then nothing is read any more. */
  function stopIfIdle(): boolean {
    if (inRound || outlets.size > 0 || waiting > 0) return false
    cancelRound()
    cancelHeartbeat()
    onIdle()
    return true
  }

  function end(): void {
    for (const outlet of outlets) {
      // Nobody waits for those who do not read.
      if (outlet.writableLength > 0) outlet.destroy()
      else outlet.end()
    }
  }

  return {
    watchers: () => outlets.size + waiting,
    join: (watcher) => new Promise((resolve, reject) => {
      // Whatever it is told, it waits no more; a round that fails half-way tells those again who have their snapshot.
      let waits = true
      const told = <T>(settle: (what: T) => void) => (what: T): void => {
        if (waits) waiting -= 1
        waits = false
        settle(what)
      }
      waiting += 1
      joining.push({ ...watcher, resolve: told(resolve), reject: told(reject) })
      if (started) return
      started = true
      void round()
    }),
    end,
  }
}

/** Does something for each of many, some in each turn of the event loop. */
async function inTurns<T>(all: readonly T[], work: (one: T) => void): Promise<void> {
  for (let i = 0; i < all.length; i += 1) {
    if (i > 0 && i % turnBound === 0) await nextTurn()
    work(all[i]!)
  }
}

const eventOf = ({ saleId, status, startsAt, endsAt }: Sale, items: readonly SaleItem[]): StockEvent =>
  ({ saleId, status, startsAt, endsAt, items: [...items] })

/** @returns what one look at a sale has that the one before it had not, null where that is nothing */
function changesBetween(before: Sale, now: Sale): StockEvent | null {
  const known = new Map(before.items?.map((item) => [item.sku, item]))
  const items = (now.items ?? []).filter((item) => isNews(item, known.get(item.sku)))
  const same = items.length === 0 && now.status === before.status && now.startsAt === before.startsAt && now.endsAt === before.endsAt
  return same ? null : eventOf(now, items)
}

function isNews({ stock, mayReturnAt }: SaleItem, before: SaleItem | undefined): boolean {
  return before === undefined
    || stock.available !== before.stock.available
    || stock.quantity !== before.stock.quantity
    || stock.inCarts !== before.stock.inCarts
    || mayReturnAt !== before.mayReturnAt
}
