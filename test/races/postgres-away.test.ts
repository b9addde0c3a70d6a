/** A sale goes on without Postgres: it holds, checks out and takes payments, and every order arrives once it is back. */
import tap from 'tap'
import { freshDatabase } from '../postgres.js'
import { freshRedis } from '../redis.js'
import { assertAccounts, outboxLength, persisted, told } from './accounts.js'
import { forward, portOf, through } from './forwarder.js'
import { atWork, startApi, startWorker, until } from './processes.js'
import { buy, call, openCart, publish, readiness, readOrder, ready, ware } from './shop.js'

for (const way of ['cut', 'hold'] as const) {
  tap.test(`Postgres ${way === 'cut' ? 'breaks every connection' : 'stops answering'} in the middle of a sale`, async (t) => {
    const { redis, url: redisUrl } = await freshRedis(t)
    const databaseUrl = await freshDatabase(t)
    const line = await forward(t, portOf(databaseUrl, 5432))
    const stores = { redisUrl, databaseUrl: through(databaseUrl, line) }
    const [worker, { url: api }] = [startWorker(t, stores), await startApi(t, stores)]
    await atWork(worker)
    await ready(api)
    const wares = [ware('mug', 400)]
    const { saleId } = await publish(api, wares)
    const before = await buy([api], saleId, 'mug', 20)
    await persisted(redis, saleId)

    line[way]()
    t.match(await until('readyz has noticed', async () => {
      const said = await readiness(api)
      return !said.postgres && said
    }), { status: 200, redis: true, postgres: false, worker: true }, 'readyz names Postgres, and the sale is on')
    const from = performance.now()
    const during = await buy([api], saleId, 'mug', 300)
    t.ok(performance.now() - from < 10_000, 'nobody waited for Postgres')
    t.ok(during.every(({ status }) => status === 'paid'))
    t.equal(await outboxLength(redis, saleId), 300, 'the orders wait')
    t.match(await readOrder(api, during[0]!.orderId), { status: 200, value: { status: 'paid', persisted: false } })
    t.match(await openCart(api, 'monday', []), { status: 404 }, 'a sale that nobody knows is unknown none the less')

    line.mend()
    await persisted(redis, saleId, 60_000)
    await assertAccounts(t, { redis, stores: { redisUrl, databaseUrl } }, { saleId, wares, ...told([...before, ...during]) })
    t.match(await readOrder(api, during[0]!.orderId), { value: { status: 'paid', persisted: true } })
    await until('readyz is content', async () => (await readiness(api)).postgres)
  })
}

tap.test('processes that start while Postgres is away serve the sale that is on, and persist it once Postgres is there', async (t) => {
  const { redis, url: redisUrl } = await freshRedis(t)
  const databaseUrl = await freshDatabase(t)
  const wares = [ware('mug', 30)]
  const first = await startApi(t, { redisUrl, databaseUrl })
  const { saleId } = await publish(first.url, wares)
  await first.stop()

  const line = await forward(t, portOf(databaseUrl, 5432))
  line.cut()
  const stores = { redisUrl, databaseUrl: through(databaseUrl, line) }
  const worker = startWorker(t, stores)
  const { url: api } = await startApi(t, stores)
  await atWork(worker)
  await ready(api)
  t.match(await readiness(api), { postgres: false })
  t.match(await call('GET', `${api}/v1/sales/${saleId}`), { status: 200 })
  const paid = await buy([api], saleId, 'mug', 30)
  line.mend()
  await persisted(redis, saleId, 60_000)
  await assertAccounts(t, { redis, stores: { redisUrl, databaseUrl } }, { saleId, wares, ...told(paid) })
})
