/** Without Redis nothing is sold, and everybody hears so at once; with it again, everything that was told still holds. */
import { Redis } from 'ioredis'
import tap, { type Test } from 'tap'
import { freshDatabase } from '../postgres.js'
import { assertAccounts, persisted, told } from './accounts.js'
import { adminToken, atWork, startApi, startProcess, startWorker, type Stores, until } from './processes.js'
import { type OwnRedis, ownRedis } from './servers.js'
import { type Answer, buy, call, checkOut, good, openCart, pay, publish, readCart, readiness, readOrder, ready, setLine, ware } from './shop.js'

/** Nobody hangs: a no takes milliseconds, and no longer than a command may, on a machine that is busy with other tests. */
const boundMs = 5_000

async function storesOf(t: Test): Promise<{ own: OwnRedis; stores: Stores }> {
  const databaseUrl = await freshDatabase(t)
  const own = await ownRedis(t)
  return { own, stores: { redisUrl: own.url, databaseUrl } }
}

/** Asks, and holds the answer against what every caller is promised while Redis is away. */
async function unavailable(t: Test, what: string, ask: () => Promise<Answer<unknown>>): Promise<void> {
  const from = performance.now()
  const answer = await ask()
  const tookMs = performance.now() - from
  t.match(answer, { status: 503, problem: { code: 'unavailable' } }, what)
  t.ok(tookMs < boundMs, `${what} is refused in ${tookMs.toFixed(1)} ms`)
}

tap.test('Redis is killed in the middle of a sale: a prompt no, and then everything goes on by itself', async (t) => {
  const { own, stores } = await storesOf(t)
  await own.start()
  const [worker, process] = [startWorker(t, stores), await startApi(t, stores)]
  const { url: api } = process
  await Promise.all([atWork(worker), ready(api)])
  const wares = [ware('mug', 120)]
  const { saleId } = await publish(api, wares)
  const mug = (quantity: number) => [{ sku: 'mug', quantity }]
  const before = await buy([api], saleId, 'mug', 50)
  const cart = good(await openCart(api, saleId, mug(3), 'before'))
  const order = good(await checkOut(api, good(await openCart(api, saleId, mug(2))).cartId))

  // Requests are on their way when it dies: each is done, or its outcome is not known.
  const asking = Promise.all(Array.from({ length: 40 }, (_, i) => openCart(api, saleId, mug(1), `during-${i}`)))
  await own.kill()
  for (const { status } of await asking) t.ok(status === 201 || status === 503, `${status} while it dies`)
  await until('readyz has noticed', async () => (await readiness(api)).status === 503)
  t.match(await readiness(api), { redis: false, postgres: true })
  t.match(await call('GET', `${api}/healthz`), { status: 200 }, 'the process lives')
  await unavailable(t, 'a cart', () => openCart(api, saleId, mug(1), 'away'))
  await unavailable(t, 'a line', () => setLine(api, cart.cartId, 'mug', 4))
  await unavailable(t, 'a checkout', () => checkOut(api, cart.cartId))
  await unavailable(t, 'a payment', () => pay(api, order.orderId, 'tok_ok'))
  await unavailable(t, 'a look', () => call('GET', `${api}/v1/sales/${saleId}`))
  await unavailable(t, 'a hundred at once', async () => (await Promise.all(Array.from({ length: 100 }, () => readCart(api, cart.cartId))))[99]!)

  await own.start()
  await ready(api)
  t.match(await readCart(api, cart.cartId), { status: 200, value: { items: [{ quantity: 3 }] } }, 'who held units holds them')
  t.equal(good(await openCart(api, saleId, mug(3), 'before')).cartId, cart.cartId, 'and their key knows')
  t.match(await readOrder(api, order.orderId), { value: { status: 'awaiting_payment' } })
  // Whoever heard that an outcome is not known asks again with the same key.
  const keys = ['away', ...Array.from({ length: 40 }, (_, i) => `during-${i}`)]
  const carts = await Promise.all(keys.map(async (key) => good(await openCart(api, saleId, mug(1), key))))
  t.equal(new Set(carts.map(({ cartId }) => cartId)).size, 41)
  t.match((await openCart(api, saleId, mug(120 - 50 - 3 - 2 - 41 + 1))).problem, { code: 'insufficient_stock', items: [{ stock: { available: 24 } }] }, 'not one unit was taken twice')

  const orders = await Promise.all([cart, ...carts].map(async ({ cartId }) => good(await checkOut(api, cartId))))
  const after = await Promise.all([order, ...orders].map(async ({ orderId }) => good(await pay(api, orderId, 'tok_ok'))))
  const rest = await buy([api], saleId, 'mug', 24)
  const redis = new Redis(own.url)
  t.teardown(() => redis.disconnect())
  await persisted(redis, saleId, 60_000)
  await assertAccounts(t, { redis, stores }, { saleId, wares, ...told([...before, ...after, ...rest]) })
  t.strictSame([await process.stop(), await worker.stop()], [{ code: 0, signal: null }, { code: 0, signal: null }])
})

tap.test('a Redis that has gone silent is given up after a bounded time, and used again when it answers', async (t) => {
  const { own, stores } = await storesOf(t)
  await own.start()
  const { url: api } = await startApi(t, stores)
  await ready(api)
  const { saleId } = await publish(api, [ware('mug', 10)])
  own.line.hold()
  const from = performance.now()
  const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => openCart(api, saleId, [{ sku: 'mug', quantity: 1 }], `key-${i % 10}`)))
  t.ok(answers.every(({ status }) => status === 503))
  t.ok(performance.now() - from < 5_000, 'nobody hangs')
  own.line.mend()
  await ready(api)
  const carts = await Promise.all(Array.from({ length: 10 }, (_, i) => openCart(api, saleId, [{ sku: 'mug', quantity: 1 }], `key-${i}`)))
  t.equal(new Set(carts.map((answer) => good(answer).cartId)).size, 10, 'each key made one cart, whatever arrived late')
  t.match((await openCart(api, saleId, [{ sku: 'mug', quantity: 1 }])).problem, { items: [{ stock: { available: 0, inOtherCarts: 10 } }] })
})

tap.test('processes that start while Redis is away wait for it, and say so', async (t) => {
  const { own, stores } = await storesOf(t)
  own.line.cut()
  const [worker, { url: api }] = [startWorker(t, stores), await startApi(t, stores)]
  t.match(await readiness(api), { status: 503, redis: false, postgres: true, worker: false })
  t.match(await call('GET', `${api}/healthz`), { status: 200 })
  await unavailable(t, 'a cart', () => openCart(api, 'friday', []))
  await own.start()
  await Promise.all([ready(api), atWork(worker)])
  await until('the worker is seen', async () => (await readiness(api)).worker)
  const { saleId } = await publish(api, [ware('mug', 5)])
  t.equal((await buy([api], saleId, 'mug', 5)).length, 5)
})

tap.test('a Redis that may lose what it acknowledged is refused at the start, with one line that says why', async (t) => {
  const { own, stores } = await storesOf(t)
  await own.start()
  for (const [setting, value, durable] of [['appendfsync', 'everysec', 'always'], ['appendonly', 'no', 'yes'], ['maxmemory-policy', 'allkeys-lru', 'noeviction']] as const) {
    await own.set(setting, value)
    for (const script of ['src/api.js', 'workers/worker.js']) {
      const refused = startProcess(t, script, stores, { LOG_LEVEL: 'warn', PORT: '0', ADMIN_TOKEN: adminToken })
      await refused.said(/Redis may lose acknowledged writes/)
      const { code } = await refused.ended
      t.ok(code !== null && code > 0, `${script} ends with ${code}`)
      // On a machine that is busy, the log may have a line of a command that took too long.
      const said = refused.lines.filter((line) => !line.startsWith('{'))
      t.equal(said.length, 1, refused.lines.join('\n'))
      t.match(said[0], new RegExp(`${setting} is ${value}, and must be ${durable}`))
    }
    await own.set(setting, durable)
  }
})
