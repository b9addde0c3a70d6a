/**
 * A Redis database of its own for a test file, on the server that REDIS_URL names, and the means to look into it.
 *
 * Parallel files never meet: each takes the URL's own database (16 where it names none) plus the number of the slot that it
 * runs in. The database is emptied when a file begins.
 */
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { pino } from 'pino'
import { type BatchedScript, connect, createEngine, type Engine } from '../src/engine/engine.js'
import { shardKey } from '../src/keys.js'
import type { SaleDefinition, SaleItemDefinition } from '../src/sale.js'

/** Below it lie the databases that people keep things in. */
const firstDatabase = 16

export interface FreshRedis {
  readonly redis: Redis
  /** Names the same database, for child processes. */
  readonly url: string
}

/**
 * @param server the address of a server, where it is not the one that all tests share
 * @returns a client of an empty database; both are gone after the test
 */
export async function freshRedis(t: Test, server = process.env['REDIS_URL']): Promise<FreshRedis> {
  if (!server) throw new Error('REDIS_URL must name a Redis server with 64 databases')
  const url = new URL(server)
  const base = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : firstDatabase
  url.pathname = `/${base + Number(process.env['TAP_JOB_ID'] ?? 0)}`
  const redis = new Redis(url.href, { maxRetriesPerRequest: 0 })
  t.teardown(() => redis.disconnect())
  await redis.flushdb()
  return { redis, url: url.href }
}

export interface EngineSetup {
  readonly onBatch?: (script: BatchedScript, size: number) => void
  /** A server of the test's own. */
  readonly server?: string
}

/** @returns an engine on an empty database, and a client that looks at it */
export async function freshEngine(t: Test, { onBatch, server }: EngineSetup = {}): Promise<FreshRedis & { readonly engine: Engine }> {
  const { redis, url } = await freshRedis(t, server)
  const connection = connect({
    url,
    durability: 'checked',
    log: pino({ level: 'silent' }),
    onUnfit: (error) => t.fail(error.message),
  })
  t.teardown(() => connection.close())
  await connection.ready
  const engine = createEngine({ connection, nothingPublished: async () => true, ...(onBatch === undefined ? {} : { onBatch }) })
  return { redis, url, engine }
}

// --- Sales -------------------------------------------------------------------------------------------------

export interface SaleOverrides extends Partial<Omit<SaleDefinition, 'items'>> {
  /** By sku: the allocation alone, or whatever else differs from an item without limit at 25.00. */
  readonly items?: Readonly<Record<string, number | Partial<SaleItemDefinition>>>
}

/** @returns a sale, open at once, of ten units of one item `A`, where nothing else is said */
export function saleDefinition({ items = { A: 10 }, ...overrides }: SaleOverrides = {}): SaleDefinition {
  return {
    saleId: `sale-${randomBytes(6).toString('hex')}`,
    name: 'Friday',
    currency: 'USD',
    startsAtMs: null,
    endsAtMs: null,
    holdAt: 'cart',
    holdSeconds: 600,
    maxHoldSeconds: 1_800,
    paymentSeconds: 600,
    pendingSeconds: 900,
    lowStockAt: 5,
    ...overrides,
    items: Object.entries(items).map(([sku, item]) => ({
      sku,
      name: `Item ${sku}`,
      description: 'As pictured',
      unitAmount: 2_500,
      listAmount: null,
      allocation: 10,
      maxPerCart: null,
      ...(typeof item === 'number' ? { allocation: item } : item),
    })),
  }
}

export async function publishSale(engine: Engine, overrides?: SaleOverrides): Promise<SaleDefinition> {
  const definition = saleDefinition(overrides)
  await engine.publish(definition)
  return definition
}

const keyOf = (saleId: string, name: Parameters<typeof shardKey>[1]) => shardKey({ saleId, shard: 0 }, name)

/** Moves a sale's time on by so many milliseconds; it goes on from there. */
export async function moveTime(redis: Redis, saleId: string, milliseconds: number): Promise<void> {
  await redis.hincrby(keyOf(saleId, 'policy'), 'offset', milliseconds)
}

/**
 * Sets a sale's time to an instant ahead of all clocks, in Unix milliseconds. It stands still there, because a sale's time
 * never goes back behind what it has seen: so a test can say to the millisecond what must come out.
 */
export async function setTime(redis: Redis, saleId: string, at: number): Promise<void> {
  await redis.hset(keyOf(saleId, 'policy'), 'clock', at)
}

// --- What Redis holds ---------------------------------------------------------------------------------------

/** @returns the content of every key, the same for the same content: nothing was written where two are the same */
export async function dump(redis: Redis): Promise<Record<string, unknown>> {
  const keys = (await redis.keys('*')).toSorted()
  return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await content(redis, key)] as const)))
}

async function content(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key)
  switch (type) {
    case 'hash':
      return Object.fromEntries(Object.entries(await redis.hgetall(key)).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    case 'zset':
      return redis.zrange(key, '0', '-1', 'WITHSCORES')
    case 'set':
      return (await redis.smembers(key)).toSorted()
    case 'stream':
      return { entries: await redis.xrange(key, '-', '+'), groups: await redis.xinfo('GROUPS', key) }
    case 'string':
      return redis.get(key)
    default:
      throw new Error(`${key} is a ${type}, which no key is`)
  }
}

export interface Counters {
  readonly allocation: number
  readonly available: number
  readonly inCarts: number
  readonly inOrders: number
  readonly sold: number
}

function parseCounters(text: string): Counters {
  const [allocation, available, inCarts, inOrders, sold] = text.split(' ').map(Number) as [number, number, number, number, number]
  return { allocation, available, inCarts, inOrders, sold }
}

/** @returns an item's counters as they stand; holds that have lapsed are in them until somebody gives them back */
export async function counters(redis: Redis, saleId: string, sku: string): Promise<Counters> {
  const text = await redis.hget(keyOf(saleId, 'stock'), sku)
  if (text === null) throw new Error(`the sale has no item ${sku}`)
  return parseCounters(text)
}

const zset = (flat: readonly string[]): Map<string, number> =>
  new Map(flat.flatMap((member, i) => (i % 2 === 0 ? [[member, Number(flat[i + 1])] as const] : [])))

/**
 * I1: for every item, allocation = available + held + sold, each at least 0.
 * I2: the counters of held units are the units of all carts and unpaid orders that live, which are those over the deadlines;
 * none is missing from either. Reads everything in one step.
 */
export async function assertWhole(t: Test, redis: Redis, saleId: string): Promise<void> {
  t.strictSame(await wholeness(redis, saleId), [], 'every unit is where the counters say')
}

/** @returns what is wrong with I1 and I2 */
export async function wholeness(redis: Redis, saleId: string): Promise<string[]> {
  const replies = await redis
    .multi()
    .hget(keyOf(saleId, 'policy'), 'holdAt')
    .hgetall(keyOf(saleId, 'stock'))
    .hgetall(keyOf(saleId, 'carts'))
    .hgetall(keyOf(saleId, 'orders'))
    .zrange(keyOf(saleId, 'deadlines'), '0', '-1', 'WITHSCORES')
    .zrange(keyOf(saleId, 'retention'), '0', '-1', 'WITHSCORES')
    .exec()
  const [holdAt, stock, carts, orders, deadlines, retention] = (replies ?? []).map(([, value]) => value) as [
    string, Record<string, string>, Record<string, string>, Record<string, string>, string[], string[],
  ]
  const wrong: string[] = []
  const forgotten = new Set([...zset(retention).keys()].flatMap((member) => (member.startsWith('l:') ? member.slice(2).split(' ').map((id) => `c:${id}`) : [member])))
  const live = new Map<string, number>()
  const pending = new Set<string>()
  const units = new Map<string, { inCarts: number; inOrders: number }>()
  const count = (kind: 'inCarts' | 'inOrders', lines: string) => {
    for (const [, sku, quantity] of lines.matchAll(/([^\s=]+)=(\d+)\S*/g)) {
      const known = units.get(sku!) ?? { inCarts: 0, inOrders: 0 }
      known[kind] += Number(quantity)
      units.set(sku!, known)
    }
  }
  const overdue = zset(deadlines)
  for (const [id, record] of Object.entries(carts)) {
    // One that has lapsed and was given back is only kept to say so.
    if (!overdue.has(id) && forgotten.has(`c:${id}`)) continue
    const [deadline, , ...lines] = record.split(' ')
    live.set(id, Number(deadline))
    count('inCarts', lines.join(' '))
  }
  for (const [id, record] of Object.entries(orders)) {
    const [head, lines] = record.split('\n') as [string, string]
    const [state, deadline] = head.split(' ')
    if (state !== 'awaiting_payment' && state !== 'payment_pending') continue
    if (live.has(id)) wrong.push(`${id} is a cart and an order at once`)
    live.set(id, Number(deadline))
    if (state === 'payment_pending') pending.add(id)
    count('inOrders', lines)
  }
  for (const [sku, text] of Object.entries(stock)) {
    const { allocation, available, inCarts, inOrders, sold } = parseCounters(text)
    const held = holdAt === 'cart' ? inCarts + inOrders : inOrders
    if (allocation !== available + held + sold || Math.min(available, inCarts, inOrders, sold) < 0) wrong.push(`I1 ${sku}: ${text}`)
    const { inCarts: carried, inOrders: ordered } = units.get(sku) ?? { inCarts: 0, inOrders: 0 }
    if (carried !== inCarts || ordered !== inOrders) wrong.push(`I2 ${sku}: ${text}, but ${carried} in carts and ${ordered} in orders`)
  }
  // A pending payment may still be declined, so its order can lapse sooner than its own deadline says; never later.
  for (const [id, deadline] of live) {
    const soonest = overdue.get(id)
    if (soonest === undefined || soonest > deadline) wrong.push(`I2: ${id} lapses at ${deadline}, but is looked for at ${soonest}`)
    else if (soonest < deadline && !pending.has(id)) wrong.push(`I2: ${id} lapses at ${deadline}, but is given up at ${soonest}`)
  }
  for (const id of overdue.keys()) if (!live.has(id)) wrong.push(`I2: ${id} has a deadline and holds nothing`)
  return wrong
}
