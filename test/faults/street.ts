/**
 * A shop under fire: two API processes and two workers on a Redis and a Postgres of their own, customers who never stop,
 * and the means to end any of it at any moment.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { migrate } from '../../src/migrations.js'
import { assertAccounts, drained, sandboxMoney } from '../races/accounts.js'
import { buyer } from '../races/buyer.js'
import { atWork, type Running, startApi, startWorker, type Stores } from '../races/processes.js'
import { ownPostgres, ownRedis } from '../races/servers.js'
import { patiently, publish, readOrder, ready, type Ware, ware } from '../races/shop.js'
import { listen, type Told } from '../races/told.js'
import { moveTime } from '../redis.js'

/** Customers at any time. */
const customers = 12
/** How long everything may take to drain once the faults are over, in milliseconds: promised. */
const drainedWithinMs = 60_000
/** Orders looked at at once. */
const looksAtOnce = 50

const wares: readonly Ware[] = [
  ware('lamp', 40, { quantity: 50 }),
  ware('mug', 1_000_000, { price: 700 }),
  ware('vase', 1_000_000, { price: 2_550 }),
  ware('clock', 1_000_000, { price: 3_333, maxPerCart: 3 }),
]

/** Something that dies and comes back, with the same address. */
export interface Victim {
  readonly name: string
  kill(): Promise<void>
  start(): Promise<void>
}

export interface Street {
  readonly apis: readonly Victim[]
  readonly workers: readonly Victim[]
  /** What a process runs as. @returns the one of that name */
  running(name: string): Running
  readonly redis: Victim
  readonly postgres: Victim
  readonly told: Told
  /** Resolves once customers have heard so many more answers, no answer being one as well. */
  heard(answers: number): Promise<void>
  /** The client of whoever looks into Redis, once everything is quiet. */
  look(): Redis
  readonly saleId: string
  /** Lets the last customers go, waits until all has drained, and counts every unit and every payment. */
  close(): Promise<void>
}

/** @param seed decides what customers do */
export async function openStreet(t: Test, seed: number): Promise<Street> {
  const [redis, postgres] = await Promise.all([ownRedis(t), ownPostgres(t)])
  await Promise.all([redis.start(), postgres.start()])
  await migrate(postgres.url)
  const stores: Stores = { redisUrl: redis.url, databaseUrl: postgres.url }
  const processes = new Map<string, Running>()

  const dies = (name: string) => async () => {
    const running = processes.get(name)!
    running.kill('SIGKILL')
    const { signal } = await running.ended
    t.equal(signal, 'SIGKILL', `${name} lived until it was killed`)
  }
  async function api(name: string): Promise<Victim & { url: string }> {
    const first = await startApi(t, stores, { LOG_LEVEL: 'info' })
    processes.set(name, first)
    const { port } = new URL(first.url)
    return {
      name,
      url: first.url,
      kill: dies(name),
      async start() {
        processes.set(name, await startApi(t, stores, { PORT: port }))
        await ready(first.url)
      },
    }
  }
  function worker(name: string): Victim {
    const start = async () => {
      const running = startWorker(t, stores)
      processes.set(name, running)
      await atWork(running)
    }
    return { name, kill: dies(name), start }
  }
  const apis = await Promise.all([api('the first API'), api('the second API')])
  const workers = [worker('the first worker'), worker('the second worker')]
  await Promise.all([...workers.map(({ start }) => start()), ...apis.map(({ url }) => ready(url))])

  const urls = apis.map(({ url }) => url) as [string, ...string[]]
  const { saleId } = await publish(urls[0], wares)
  const told = listen(wares, 'cart')
  const doors = { open: true }
  const crowd = Array.from({ length: customers }, (_, i) => buyer(`b${i}`, seed + i * 7_919, { apis: urls, saleId, wares, told }))
  const shopping = Promise.all(crowd.map(async (one) => {
    while (doors.open) await one.visit(false)
    await one.hearLate()
  }))
  // It is waited for when the street closes; until then what fails waits as well.
  shopping.catch(() => {})
  const look = () => {
    const client = new Redis(redis.url)
    t.teardown(() => client.disconnect())
    return client
  }
  const answers = () => [...told.counts.values()].reduce((sum, count) => sum + count, 0)

  return {
    apis,
    workers,
    redis: { name: 'Redis', kill: redis.kill, start: redis.start },
    postgres: { name: 'Postgres', kill: postgres.kill, start: postgres.start },
    told,
    saleId,
    look,
    running: (name) => processes.get(name)!,
    async heard(count) {
      const enough = answers() + count
      while (answers() < enough) await Promise.race([delay(5), shopping])
    },
    async close() {
      doors.open = false
      await shopping
      await Promise.all(apis.map(({ url }) => ready(url)))
      const client = look()
      await moveTime(client, saleId, 3_600_000)
      const from = performance.now()
      await drained(client, saleId, drainedWithinMs)
      t.comment(`drained ${((performance.now() - from) / 1_000).toFixed(1)} s after the last customer`)
      // Of what became of an order whose answer was cut, its customer hears now.
      const orders = [...told.orders]
      for (let i = 0; i < orders.length; i += looksAtOnce) {
        const looks = orders.slice(i, i + looksAtOnce).map((orderId) => patiently(() => readOrder(urls[0], orderId)))
        for (const answer of await Promise.all(looks)) told.order(answer)
      }
      const { charged } = await sandboxMoney(client)
      const sold = await assertAccounts(t, { redis: client, stores }, { saleId, wares, paid: told.paid, taken: [...told.taken, ...charged] })
      t.strictSame(told.wrong, [], 'nobody was told what cannot be true')
      t.comment(`${told.paid.size} orders paid, ${sold} units sold: ${JSON.stringify(Object.fromEntries([...told.counts].toSorted()))}`)
    },
  }
}
