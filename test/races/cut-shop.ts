/**
 * A shop whose line to Redis loses replies, with a worker beside it, one sale after another, and a book of what must have
 * come of everything that was asked: each of it once.
 */
import type { Test } from 'tap'
import type { Cart, Order } from '../../src/contract.js'
import { createLogger } from '../../src/log.js'
import type { PersistJob } from '../../src/outbox.js'
import { openWorkQueue, startJobWorker } from '../../src/queue.js'
import { askAboutAttempts } from '../../workers/attempts.js'
import { certifyClosed } from '../../workers/certify.js'
import { persist } from '../../workers/persist.js'
import { redeliver, relay } from '../../workers/relay.js'
import { resume, sweep } from '../../workers/sweep.js'
import { strayShard, shardKey } from '../../src/keys.js'
import { engineOn, newId, openShop, plenty } from '../contract/shop.js'
import { runOn } from '../postgres.js'
import { counters, wholeness } from '../redis.js'
import { assertAccounts, keysUsed, sandboxMoney } from './accounts.js'
import type { Random } from './buyer.js'
import { portOf, through } from './forwarder.js'
import { lossyLine } from './lossy.js'
import { until } from './processes.js'
import { ware } from './shop.js'

/** Longer than all the time that passes in one sale, in seconds: nothing of it lapses before it is counted. */
const longSeconds = 80_000
/** Longer than that, and than anything is asked about, in seconds. */
const afterSeconds = 2 * longSeconds
/** Longer than a worker waits before it asks about an attempt again, in seconds. */
export const askAgainSeconds = 31
const allocation = 100_000
const price = 2_500

const shardOf = (saleId: string) => ({ saleId, shard: 0 })
export const localOf = (id: string): string => id.slice(-22)

/** Units of one item. */
export interface Line {
  readonly sku: string
  readonly quantity: number
}

/** What must have come of one sale. */
export interface Book {
  readonly saleId: string
  readonly skus: readonly string[]
  /** Units by item, and how many the store has got since. */
  readonly units: ReadonlyMap<string, { inCarts: number; inOrders: number; sold: number; delta: number }>
  /** The cart of each idempotency key, without its sale. */
  readonly keys: Map<string, string>
  /** The carts that are open. */
  readonly carts: Set<string>
  /** Orders that were paid, and how many. */
  paidOrders: number
}

export type CutShop = Awaited<ReturnType<typeof openCutShop>>

export async function openCutShop(t: Test, dice: Random) {
  const redisUrl = process.env['REDIS_URL']
  if (redisUrl === undefined) throw new Error('REDIS_URL must name a Redis server')
  const line = await lossyLine(t, portOf(redisUrl, 6_379))
  const shop = await openShop(t, (url) => through(url, line))
  const { redis, database, databaseUrl, operator } = shop
  const log = createLogger('silent')

  // --- A worker, turn by turn, on a connection of its own that loses replies as well ---
  const { engine, provider, ready } = engineOn(t, through(shop.redisUrl, line), database)
  await ready
  const onError = () => {}
  const queue = openWorkQueue(shop.redisUrl, onError)
  t.teardown(() => queue.close())
  const persistNow = (job: PersistJob) => persist({ engine, database, provider, log }, job)
  const jobs = startJobWorker(shop.redisUrl, { persist: persistNow, certify: (saleId) => certifyClosed(engine, database, saleId) }, onError)
  t.teardown(() => jobs.close())
  const worker = {
    engine, persist: persistNow,
    relay: (saleId: string) => relay(engine, queue, shardOf(saleId), persistNow),
    redeliver: (saleId: string) => redeliver(engine, queue, log, shardOf(saleId), persistNow),
    sweep: (saleId: string) => sweep(engine, database, new Set(), shardOf(saleId), (closed) => certifyClosed(engine, database, closed)),
    resume: () => resume(engine, database, log),
    async askProvider(saleId: string): Promise<void> {
      await (await askAboutAttempts(engine, provider, log, shardOf(saleId))).answered
    },
  }

  const paid = new Set<string>()
  const taken = new Set<string>()

  /** @returns once both are served again */
  const serves = () => until('Redis serves again', async () => {
    const seen = await Promise.allSettled([shop.engine.workerSeen(), engine.workerSeen()])
    return seen.every(({ status }) => status === 'fulfilled')
  })

  async function openSale(): Promise<Book> {
    const skus = [newId('mug'), newId('lamp')]
    const saleId = await shop.publish({
      items: Object.fromEntries(skus.map((sku) => [sku, allocation])),
      holdSeconds: longSeconds, maxHoldSeconds: longSeconds, paymentSeconds: longSeconds, pendingSeconds: longSeconds,
    })
    const units = new Map(skus.map((sku) => [sku, { inCarts: 0, inOrders: 0, sold: 0, delta: 0 }]))
    return { saleId, skus, units, keys: new Map(), carts: new Set(), paidOrders: 0 }
  }

  // --- What is asked while nothing is lost ---
  const anyLine = (book: Book): Line => ({ sku: dice.pick(book.skus), quantity: 1 + dice.below(3) })

  async function cart(book: Book, { sku, quantity }: Line): Promise<Cart> {
    const made = await shop.cart(book.saleId, { [sku]: quantity })
    bookCart(book, made, { sku, quantity })
    return made
  }

  async function order(book: Book, wanted: Line): Promise<Order> {
    const { cartId } = await cart(book, wanted)
    const { body } = await shop.checkout(cartId)
    bookOrder(book, body)
    return body
  }

  async function buyOne(book: Book, wanted: Line): Promise<Order> {
    const { orderId } = await order(book, wanted)
    const { body } = await shop.pay(orderId)
    bookPaid(book, body)
    return body
  }

  // --- What is booked ---
  function bookCart({ units, carts }: Book, { cartId }: Cart, { sku, quantity }: Line): void {
    carts.add(localOf(cartId))
    units.get(sku)!.inCarts += quantity
  }

  function bookOrder({ units, carts }: Book, { cartId, items }: Order): void {
    carts.delete(localOf(cartId))
    for (const { sku, quantity } of items) {
      units.get(sku)!.inCarts -= quantity
      units.get(sku)!.inOrders += quantity
    }
  }

  function bookPaid(book: Book, { orderId, items, payment }: Order): void {
    for (const { sku, quantity } of items) {
      book.units.get(sku)!.inOrders -= quantity
      book.units.get(sku)!.sold += quantity
    }
    book.paidOrders += 1
    paid.add(orderId)
    taken.add(payment!.paymentId)
  }

  async function assertAudit(book: Book): Promise<void> {
    const { status, body } = await operator<{ ok: boolean }>('GET', `/sales/${book.saleId}/audit`)
    t.match({ status, body }, { status: 200, body: { ok: true, violations: [] } })
  }

  /** Counts every unit, cart and key of a sale that runs. */
  async function assertRunning(book: Book): Promise<void> {
    const { saleId } = book
    t.strictSame(await wholeness(redis, saleId), [], 'every unit is where the counters say')
    for (const [sku, { inCarts, inOrders, sold, delta }] of book.units) {
      const all = allocation + delta
      t.strictSame(await counters(redis, saleId, sku), { allocation: all, available: all - inCarts - inOrders - sold, inCarts, inOrders, sold }, 'and where the book says')
    }
    t.strictSame((await redis.hkeys(shardKey(shardOf(saleId), 'carts'))).toSorted(), [...book.carts].toSorted(), 'there is no cart that nobody was told of')
    t.strictSame(await keysUsed(redis, saleId), book.keys, 'every key made one cart')
    await assertAudit(book)
  }

  /** Lets all of a sale come to its end, and counts every order and every payment in both stores. */
  async function closeSale(book: Book): Promise<void> {
    const { saleId } = book
    await assertRunning(book)
    await shop.later(saleId, afterSeconds)
    await worker.askProvider(saleId)
    await shop.sweep(saleId)
    await shop.drain(saleId)
    await shop.drain(strayShard.saleId)
    await assertAudit(book)
    const wares = [...book.units].map(([sku, { delta }]) => ware(sku, allocation + delta, { quantity: plenty + delta, price }))
    await assertAccounts(t, { redis, stores: { redisUrl: shop.redisUrl, databaseUrl } }, { saleId, wares, paid, taken })
    t.equal(await redis.hget(shardKey(shardOf(saleId), 'policy'), 'persisted'), String(book.paidOrders), 'each was persisted once')
    const twice = 'select sale_id, outbox_id from orders group by sale_id, outbox_id having count(*) > 1'
    t.strictSame(await runOn(databaseUrl, twice), [], 'an entry of the outbox is one order')
    const { charged } = await sandboxMoney(redis)
    t.strictSame([...charged].filter((paymentId) => !taken.has(paymentId)), [], 'no money was taken that nobody knows of')
  }

  return { ...shop, t, dice, line, worker, serves, paidOrders: paid, taken, openSale, closeSale, anyLine, cart, order, buyOne, bookCart, bookOrder, bookPaid }
}
