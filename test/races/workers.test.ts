/** Whatever becomes of workers, jobs and single orders: every order that was paid comes to Postgres, once. */
import { Client } from 'pg'
import tap, { type Test } from 'tap'
import { runOn } from '../postgres.js'
import { counters } from '../redis.js'
import { assertAccounts, outboxLength, persisted, told } from './accounts.js'
import { forward, portOf, through } from './forwarder.js'
import { atWork, startWorker, until } from './processes.js'
import { buy, good, openShop, order, pay, publish, readOrder, tell, ware } from './shop.js'
import { handedOut, long, loseJobs } from './time.js'

const killed = { code: null, signal: 'SIGKILL' }

async function ordersIn(databaseUrl: string): Promise<number> {
  const [row] = await runOn<{ count: number }>(databaseUrl, 'select count(*)::int from orders')
  return row!.count
}

/** Holds up whoever persists, in the middle of its transaction. @returns what lets it go on */
async function holdUp(t: Test, databaseUrl: string): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  let over = false
  const letGo = async () => {
    if (!over) await client.end()
    over = true
  }
  t.teardown(letGo)
  await client.query('begin')
  await client.query('lock table order_lines in access exclusive mode')
  return letGo
}

/** What a killed worker has begun in Postgres may wait there for a lock, until it has it and finds that nobody listens. */
const buried = (databaseUrl: string) => until('nothing is left of it in Postgres', async () =>
  (await runOn(databaseUrl, `select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`)).length === 0)

/** Whoever writes, that is: a worker's audit may wait there as well, only to read. */
const waiting = (databaseUrl: string) => until('a worker is in the middle of a transaction', async () =>
  (await runOn(databaseUrl, `select 1 from pg_locks where relation = 'order_lines'::regclass and mode = 'RowExclusiveLock' and not granted`)).length > 0)

tap.test('workers killed before and after their commit: another one takes over, and every order is there once', async (t) => {
  const { apis: [api], redis, stores } = await openShop(t)
  const { databaseUrl } = stores
  const wares = [ware('mug', 400)]
  const { saleId } = await publish(api, wares)
  const paid = await buy([api], saleId, 'mug', 400)

  let letGo = await holdUp(t, databaseUrl)
  const first = startWorker(t, stores)
  await waiting(databaseUrl)
  first.kill('SIGKILL')
  t.strictSame(await first.ended, killed)
  await letGo()
  await buried(databaseUrl)
  t.equal(await ordersIn(databaseUrl), 0, 'what was not committed is not there')

  letGo = await holdUp(t, databaseUrl)
  const line = await forward(t, portOf(stores.redisUrl, 6379))
  const second = startWorker(t, { databaseUrl, redisUrl: through(stores.redisUrl, line) })
  await atWork(second)
  await long(redis, saleId)
  await waiting(databaseUrl)
  // It commits, and its word of that never comes to Redis.
  line.hold()
  await letGo()
  await until('it has committed', async () => (await ordersIn(databaseUrl)) > 0)
  second.kill('SIGKILL')
  t.strictSame(await second.ended, killed)
  t.equal(await outboxLength(redis, saleId), 400, 'nothing has left the outbox')

  const third = startWorker(t, stores)
  await atWork(third)
  await long(redis, saleId)
  await persisted(redis, saleId, 60_000)
  await assertAccounts(t, { redis, stores }, { saleId, wares, ...told(paid) })
})

tap.test('a job whose worker dies five times is done by the sixth', async (t) => {
  const { apis: [api], redis, stores } = await openShop(t)
  const wares = [ware('mug', 40)]
  const { saleId } = await publish(api, wares)
  const paid = await buy([api], saleId, 'mug', 40)
  for (let death = 0; death < 5; death += 1) {
    const letGo = await holdUp(t, stores.databaseUrl)
    const worker = startWorker(t, stores)
    await waiting(stores.databaseUrl)
    worker.kill('SIGKILL')
    t.strictSame(await worker.ended, killed)
    await letGo()
    await buried(stores.databaseUrl)
    await long(redis, saleId)
  }
  t.equal(await ordersIn(stores.databaseUrl), 0, 'no death has committed anything')
  startWorker(t, stores)
  await persisted(redis, saleId, 60_000)
  await assertAccounts(t, { redis, stores }, { saleId, wares, ...told(paid) })
})

tap.test('one of two workers is killed in the middle of hundreds of orders, and the other brings them all', async (t) => {
  const { apis, redis, stores, workers: [victim] } = await openShop(t, { apis: 2, workers: 2 })
  const wares = [ware('mug', 600)]
  const { saleId } = await publish(apis[0], wares)
  const buying = buy(apis, saleId, 'mug', 600)
  await until('some orders are persisted', async () => (await ordersIn(stores.databaseUrl)) > 0)
  victim!.kill('SIGKILL')
  t.strictSame(await victim!.ended, killed)
  const paid = await buying
  await long(redis, saleId)
  await persisted(redis, saleId, 60_000)
  await assertAccounts(t, { redis, stores }, { saleId, wares, ...told(paid) })
})

tap.test('jobs that the queue has lost are handed out again from the outbox', async (t) => {
  const { apis: [api], redis, stores } = await openShop(t)
  const line = await forward(t, portOf(stores.databaseUrl, 5432))
  const worker = startWorker(t, { ...stores, databaseUrl: through(stores.databaseUrl, line) })
  await atWork(worker)
  const wares = [ware('mug', 120)]
  const { saleId } = await publish(api, wares)
  line.cut()
  const paid = await buy([api], saleId, 'mug', 120)
  await until('all of them are handed out', async () => (await handedOut(redis, saleId)) === 120)
  await until('the queue has lost every job', () => loseJobs(redis))

  // While Postgres is away: what a worker was at when its job was lost would be done else, and nothing left to hand out.
  await long(redis, saleId)
  await worker.said(/handed out again what had lost its job/)
  line.mend()
  await persisted(redis, saleId)
  await assertAccounts(t, { redis, stores }, { saleId, wares, ...told(paid) })
})

for (const [what, spoil] of [
  ['Postgres refuses', (record: string) => record.replace('Köln', String.raw`K\u0000ln`)],
  ['nobody can read', (record: string) => record.slice(0, -10)],
] as const) {
  tap.test(`an order that ${what} is set apart, and holds up no other`, async (t) => {
    const { apis: [api], redis, stores } = await openShop(t)
    const { saleId } = await publish(api, [ware('mug', 41)])
    const orders = await order([api], saleId, 'mug', 41)
    const bad = orders[20]!.orderId
    const [key, field] = [`fs:{${saleId}.0}:orders`, bad.slice(-22)]
    const record = (await redis.hget(key, field))!
    // What a bug, or a person at the console, may do to a record.
    await redis.hset(key, field, spoil(record))
    const others = orders.filter(({ orderId }) => orderId !== bad)
    const paid = await Promise.all(others.map(({ orderId }) => pay(api, orderId, 'tok_ok')))
    t.ok(paid.every(({ value }) => value?.status === 'paid'))
    // The provider tells of the bad one's payment. The answer may be a fault; that it was paid is written down all the same.
    const { total } = orders[20]!
    await tell(api, { eventId: 'e', type: 'payment.succeeded', orderId: bad, paymentId: 'page-1', ...total })
    const { sold } = await counters(redis, saleId, 'mug')
    t.equal(sold, 41)

    const worker = startWorker(t, stores)
    await atWork(worker)
    await until('the other orders are in Postgres', async () => (await ordersIn(stores.databaseUrl)) === 40)
    await worker.said(/set apart in dead_orders/)
    await persisted(redis, saleId)
    const dead = await runOn<{ kind: string; entry: string }>(stores.databaseUrl, 'select kind, entry from dead_orders')
    t.match(dead, [{ kind: 'paid' }], 'the bad one is kept for a person to look at')
    t.match(dead[0]?.entry, bad.slice(-22))
    for (const { orderId } of others) t.match(good(await readOrder(api, orderId)), { status: 'paid', persisted: true })
  })
}
