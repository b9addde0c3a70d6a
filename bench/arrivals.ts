/**
 * Paid orders on their way from the outbox to Postgres, by one worker process; beside it one job and one transaction an
 * order, and bare batches without outbox and queue. Every order is found again in the end, once, or the run does not count.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { shardKey } from '../src/keys.js'
import type { OutboxEntry } from '../src/outbox.js'
import { environment } from './api.js'
import { DoesNotCount, mustBe } from './figures.js'
import { customer, entryOf, itemCount, linesOf, record, skusOf, type Sold } from './orders.js'
import { cpuSeconds, type Running, startBuilt, startOwn } from './processes.js'
import { accepted, countersOf, forgetSale, publishSale } from './shop.js'
import type { Stage } from './stage.js'

/** Orders of one turn, in batches and one by one; the slow way gets fewer, and rates are compared. */
export const batchedOrders = 30_000
export const singleOrders = 3_000
/** Jobs at once of the slow way: as many as a process has connections to Postgres. */
export const singleConcurrency = 10
const allocation = 10_000_000
/** Customers that buy at once while the outbox is filled. */
const customers = 256
const lookMs = 20
/** How long all of it may take to arrive, in ms. */
const arriveWithinMs = 120_000

export interface Arrival {
  /** Orders a second from the start of the process until Postgres has all. */
  readonly rate: number
  /** The same from the first order that Postgres had. */
  readonly steadyRate: number
  /** CPU of the process for each order, in µs, its start included. */
  readonly cpuUs: number
}

export interface Arrivals {
  readonly batched: readonly Arrival[]
  readonly single: readonly Arrival[]
  readonly bare: readonly Arrival[]
}

export async function measureArrivals(stage: Stage, pairs: number): Promise<Arrivals> {
  const arrivals: Record<keyof Arrivals, Arrival[]> = { batched: [], single: [], bare: [] }
  const kinds = [['batched', 'batched', arriveBatched], ['single', 'one by one', arriveSingly], ['bare', 'bare batches', arriveBare]] as const
  for (let pair = 1; pair <= pairs; pair += 1) {
    for (const [kind, name, turn] of pair % 2 === 1 ? kinds : kinds.toReversed()) {
      const saleId = `bench-${kind}-${pair}`
      const arrival = await turn(stage, saleId)
      await forgetSale(stage, saleId)
      stage.say(`  pair ${pair} of ${pairs}, ${name}: ${Math.round(arrival.rate)} orders/s, ${Math.round(arrival.steadyRate)} once it ran`)
      arrivals[kind].push(arrival)
    }
  }
  return arrivals
}

/** A sale over items of its own, so that what Postgres says of them is about this turn. */
async function openSale(stage: Stage, saleId: string): Promise<Sold> {
  await publishSale(stage, saleId, skusOf(saleId), allocation)
  return { saleId, orderIds: new Set(), units: new Map(), lines: 0 }
}

async function arriveBatched(stage: Stage, saleId: string): Promise<Arrival> {
  const sold = await openSale(stage, saleId)
  await sell(stage, sold, batchedOrders)
  mustBe('entries of the outbox before the worker starts', await outboxLength(stage, saleId), batchedOrders)
  const arrival = await arrive(stage, sold, () => startBuilt('workers/worker.js', environment(stage)), async () => {
    // It leaves the outbox after the commit.
    for (let look = 0; look < 250 && (await outboxLength(stage, saleId)) > 0; look += 1) await delay(lookMs)
    mustBe('entries of the outbox in the end', await outboxLength(stage, saleId), 0)
  })
  for (const [sku, units] of sold.units) {
    const counters = await countersOf(stage, saleId, sku)
    mustBe(`units of ${sku} that Redis sold`, counters.sold, units)
    mustBe(`units of ${sku} that are still held`, counters.held, 0)
  }
  return arrival
}

/** Customers of the real engine: each makes a cart, checks out, and pays. */
async function sell({ engine }: Stage, sold: Sold, orders: number): Promise<void> {
  let next = 0
  async function shopper(): Promise<void> {
    while (next < orders) {
      const lines = linesOf(sold.saleId, next++)
      const cart = accepted(await engine.createCart(sold.saleId, lines))
      const { order } = accepted(await engine.checkout(cart.cartId, customer))
      const begun = accepted(await engine.beginPayment(order.orderId))
      if (!begun.begun) throw new DoesNotCount('an order was paid before it was')
      const { paymentId, orderId, amount, currency } = begun.attempt
      const settled = await engine.settlePayment({ paymentId, orderId, amount, currency }, 'succeeded')
      mustBe('the state of an order that was paid', settled.order?.status ?? 'none', 'paid')
      record(sold, orderId, lines)
    }
  }
  await Promise.all(Array.from({ length: customers }, shopper))
}

const outboxLength = ({ redis }: Stage, saleId: string) => redis.xlen(shardKey({ saleId, shard: 0 }, 'outbox'))

async function arriveSingly(stage: Stage, saleId: string): Promise<Arrival> {
  const sold = await openSale(stage, saleId)
  const connection = new Redis(stage.redisUrl, { maxRetriesPerRequest: null })
  const queue = new Queue<OutboxEntry>(saleId, { connection, defaultJobOptions: { removeOnComplete: true } })
  try {
    await queue.addBulk(Array.from({ length: singleOrders }, (_, i) => ({ name: 'persist', data: entryOf(sold, i, allocation) })))
    const args = [stage.redisUrl, stage.databaseUrl, saleId, String(singleConcurrency)]
    return await arrive(stage, sold, () => startOwn('./peers/single.ts', args), async () => undefined)
  } finally {
    await queue.close()
    connection.disconnect()
  }
}

/** The same number of orders as through the outbox, handed to the process before the clock starts to matter: once it runs. */
async function arriveBare(stage: Stage, saleId: string): Promise<Arrival> {
  const sold = await openSale(stage, saleId)
  const entries = Array.from({ length: batchedOrders }, (_, i) => entryOf(sold, i, allocation))
  return arrive(stage, sold, () => {
    const bare = startOwn('./peers/batches.ts', [stage.databaseUrl])
    bare.child.send(entries)
    return bare
  }, async () => undefined)
}

/** Starts a process, and waits until Postgres has every order that was sold. */
async function arrive(stage: Stage, sold: Sold, start: () => Running, afterwards: () => Promise<void>): Promise<Arrival> {
  const orders = sold.orderIds.size
  const units = [...sold.units.values()].reduce((sum, count) => sum + count, 0)
  const started = performance.now()
  const worker = stage.own(start())
  let first: { at: number; orders: number } | null = null
  for (;;) {
    // A few rows that change with every order, in its transaction: to look often costs next to nothing.
    const { rows } = await stage.postgres.query<{ sold: string }>('select sum(sold) as sold from sale_items where sale_id = $1', [sold.saleId])
    const soldUnits = Number(rows[0]?.sold)
    if (first === null && soldUnits > 0) first = { at: performance.now(), orders: await ordersOf(stage, sold.saleId) }
    if (soldUnits >= units && (await ordersOf(stage, sold.saleId)) >= orders) break
    if (performance.now() - started > arriveWithinMs) throw new DoesNotCount(`Postgres has ${soldUnits} of ${units} units after ${arriveWithinMs / 1_000} s`)
    await Promise.race([delay(lookMs), worker.ended])
  }
  const ended = performance.now()
  const cpu = await cpuSeconds(worker.pid)
  await afterwards()
  await worker.stop()
  await verify(stage, sold)
  const from = first ?? { at: started, orders: 0 }
  return {
    rate: (orders / (ended - started)) * 1_000,
    steadyRate: ((orders - from.orders) / (ended - from.at)) * 1_000,
    cpuUs: (cpu / orders) * 1e6,
  }
}

async function ordersOf({ postgres }: Stage, saleId: string): Promise<number> {
  const { rows } = await postgres.query<{ orders: number }>('select count(*)::integer as orders from orders where sale_id = $1', [saleId])
  return rows[0]?.orders ?? 0
}

/** Every order once, every line with its movement, and every quantity less by what was sold, to the unit. */
async function verify({ postgres }: Stage, { saleId, orderIds, units, lines }: Sold): Promise<void> {
  const { rows: orders } = await postgres.query<{ order_id: string }>(`select order_id from orders where sale_id = $1 and status = 'paid'`, [saleId])
  mustBe('paid orders in Postgres', orders.length, orderIds.size)
  mustBe('orders in Postgres that were sold', orders.filter((order) => orderIds.has(order.order_id)).length, orderIds.size)
  const { rows: items } = await postgres.query<{ sku: string; quantity: string; sold: string; ledger: string; lines: string }>(
    `select sku, items.quantity, sale_items.sold,
            (select sum(delta) from stock_movements where stock_movements.sku = items.sku) as ledger,
            (select count(*) from order_lines where order_lines.sku = items.sku) as lines
       from sale_items join items using (sku) where sale_id = $1`,
    [saleId],
  )
  mustBe('items of the sale', items.length, itemCount)
  for (const { sku, quantity, sold, ledger } of items) {
    const expected = units.get(sku) ?? 0
    mustBe(`units of ${sku} sold, as Postgres has it`, Number(sold), expected)
    mustBe(`items.quantity of ${sku}`, Number(quantity), allocation - expected)
    mustBe(`the ledger of ${sku}`, Number(ledger), allocation - expected)
  }
  mustBe('lines of the orders', items.reduce((sum, item) => sum + Number(item.lines), 0), lines)
  const { rows: dead } = await postgres.query('select 1 from dead_orders limit 1')
  mustBe('orders set apart', dead.length, 0)
}
