/** SIGTERM while a store is away: the process ends with 0 all the same, and waits for nobody who does not come. */
import tap, { type Test } from 'tap'
import { freshDatabase } from '../postgres.js'
import { type Forwarder, forward, portOf, through } from '../races/forwarder.js'
import { atWork, startApi, startWorker, type Stores, until } from '../races/processes.js'
import { buy, order, publish, readiness, ready, ware } from '../races/shop.js'
import { freshRedis } from '../redis.js'

const ended = { code: 0, signal: null }

/** Stores of a test's own, and the line to one of them. */
async function storesBehind(t: Test, store: 'redis' | 'postgres'): Promise<{ stores: Stores; line: Forwarder }> {
  const { url: redisUrl } = await freshRedis(t)
  const databaseUrl = await freshDatabase(t)
  const line = await forward(t, store === 'redis' ? portOf(redisUrl, 6379) : portOf(databaseUrl, 5432))
  const stores = store === 'redis' ? { redisUrl: through(redisUrl, line), databaseUrl } : { redisUrl, databaseUrl: through(databaseUrl, line) }
  return { stores, line }
}

for (const store of ['redis', 'postgres'] as const) {
  const name = store === 'redis' ? 'Redis' : 'Postgres'
  const noticed = (api: string) => until(`readyz has noticed that ${name} is away`, async () => !(await readiness(api))[store])

  tap.test(`processes that wait for a ${name} that was never there end with 0`, async (t) => {
    const { stores, line } = await storesBehind(t, store)
    line.cut()
    const [worker, api] = [startWorker(t, stores), await startApi(t, stores)]
    await noticed(api.url)
    await worker.said(/Redis is away|cannot be reached/)
    t.strictSame(await Promise.all([api.stop(), worker.stop()]), [ended, ended])
  })

  for (const way of ['cut', 'hold'] as const) {
    tap.test(`an API process whose ${name} ${way === 'cut' ? 'broke every connection' : 'stopped answering'} in the middle of a sale ends with 0`, async (t) => {
      const { stores, line } = await storesBehind(t, store)
      const api = await startApi(t, stores)
      await ready(api.url)
      const { saleId } = await publish(api.url, [ware('mug', 20)])
      await order([api.url], saleId, 'mug', 5)
      line[way]()
      await noticed(api.url)
      t.strictSame(await api.stop(), ended)
    })
  }
}

tap.test('a worker whose Postgres broke every connection, and who has orders for it, ends with 0', async (t) => {
  const { stores, line } = await storesBehind(t, 'postgres')
  const [worker, { url: api }] = [startWorker(t, stores), await startApi(t, stores)]
  await Promise.all([atWork(worker), ready(api)])
  const { saleId } = await publish(api, [ware('mug', 20)])
  line.cut()
  await buy([api], saleId, 'mug', 20)
  await worker.said(/cannot be reached/)
  t.strictSame(await worker.stop(), ended)
})

for (const way of ['cut', 'hold'] as const) {
  tap.test(`a worker whose Redis ${way === 'cut' ? 'broke every connection' : 'stopped answering'} ends with 0`, async (t) => {
    const { stores, line } = await storesBehind(t, 'redis')
    const [worker, { url: api }] = [startWorker(t, stores), await startApi(t, stores)]
    await Promise.all([atWork(worker), ready(api)])
    await publish(api, [ware('mug', 20)])
    line[way]()
    await worker.said(/a turn failed/)
    t.strictSame(await worker.stop(), ended)
  })
}
