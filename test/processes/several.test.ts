/** API_PROCESSES: several API processes on one port, that look like one to customers and to whoever runs them. */
import { readFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import tap, { type Test } from 'tap'
import type { SaleFigures } from '../../src/contract.js'
import { birthOf } from '../../src/cli/servers/processes.js'
import { freshDatabase } from '../postgres.js'
import { adminToken, type Api, startApi, startProcess, type Stores, until, webhookSecret } from '../races/processes.js'
import { call, good, openCart, publish, readCart, ready, removeCart, ware } from '../races/shop.js'
import { counters, freshRedis } from '../redis.js'

const ended = { code: 0, signal: null }

async function openStores(t: Test): Promise<Stores & Pick<Awaited<ReturnType<typeof freshRedis>>, 'redis'>> {
  const { redis, url: redisUrl } = await freshRedis(t)
  return { redis, redisUrl, databaseUrl: await freshDatabase(t) }
}

/** The numbers of the processes that serve. */
async function served({ pid }: Api): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.split(' ').filter(Boolean).map(Number)
}

async function startTwo(t: Test, stores: Stores): Promise<{ api: Api; pids: [number, number] }> {
  const api = await startApi(t, stores, { API_PROCESSES: '2' })
  await until('both listen', async () => listeners(api).length === 2)
  await ready(api.url)
  const pids = await served(api)
  t.equal(pids.length, 2)
  t.strictSame(listeners(api), pids.toSorted((a, b) => a - b), 'both say that they listen')
  return { api, pids: pids as [number, number] }
}

/** @returns the processes that have said that they listen */
const listeners = ({ lines }: Api): number[] =>
  lines.filter((line) => /Server listening/.test(line)).map((line) => (JSON.parse(line) as { pid: number }).pid).toSorted((a, b) => a - b)

/** Asks over a connection of its own, so that any of the processes may get it. */
async function ask(url: string, path: string): Promise<string> {
  const agent = new Agent({ keepAlive: false })
  const [response] = await once(request(`${url}${path}`, { agent }).end(), 'response')
  let text = ''
  for await (const piece of response) text += String(piece)
  return text
}

const metric = (text: string, name: string): number => Number(new RegExp(`^${name.replaceAll(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1])

tap.test('two processes serve one sale on one port, and one scrape tells of both', async (t) => {
  const { redis, ...stores } = await openStores(t)
  const { api, pids } = await startTwo(t, stores)
  const { saleId } = await publish(api.url, [ware('mug', 50)])
  const before = await Promise.all(pids.map(bytesRead))
  for (let i = 0; i < 20; i += 1) await ask(api.url, `/v1/sales/${saleId}`)
  const after = await Promise.all(pids.map(bytesRead))
  t.ok(after.every((bytes, i) => bytes > before[i]!), `each has read something: ${before.join()} and then ${after.join()}`)

  const text = await ask(api.url, '/metrics')
  t.equal(metric(text, 'flash_sale_http_requests_total{method="GET",route="/v1/sales/:saleId",status="200"}'), 20, 'of all requests, whoever answered them')
  await Promise.all(Array.from({ length: 30 }, async () => good(await openCart(api.url, saleId, [{ sku: 'mug', quantity: 1 }]))))
  t.equal(metric(await ask(api.url, '/metrics'), 'flash_sale_holds_total{result="taken"}'), 30)
  t.match(await counters(redis, saleId, 'mug'), { available: 20, inCarts: 30 })
  // What an operator watches is read once a second, of all of them.
  const headers = { authorization: `Bearer ${adminToken}` }
  await until('the figures have all holds', async () => good(await call<SaleFigures>('GET', `${api.url}/v1/admin/sales/${saleId}/figures`, { headers })).holds.taken === 30)
  t.strictSame(await api.stop(), ended)
})

/** What a process has read from anywhere, in bytes, since it started. */
async function bytesRead(pid: number): Promise<number> {
  return Number(/^rchar: (\d+)$/m.exec(await readFile(`/proc/${pid}/io`, 'utf8'))?.[1])
}

/** Whether a cart is gone; where nobody heard so the first time, it is not found the second time. */
const removed = (answer: { readonly status: number } | null): boolean => answer !== null && (answer.status === 204 || answer.status === 404)

tap.test('a process that is killed comes back, the other one serves meanwhile, and no hold that was answered is lost', async (t) => {
  const { redis, ...stores } = await openStores(t)
  const { api, pids: [killed, other] } = await startTwo(t, stores)
  const { saleId } = await publish(api.url, [ware('mug', 1_000)])
  const held: string[] = []
  const back: { pid?: number } = {}
  // Customers go on all the while; what is cut is asked again under its key, as customers do.
  async function customer(name: string): Promise<void> {
    for (let i = 0; back.pid === undefined || i < 10; i += 1) {
      const { cartId } = await until('a cart', async () => {
        const answer = await openCart(api.url, saleId, [{ sku: 'mug', quantity: 1 }], `${name}-${i}`).catch(() => null)
        return answer !== null && answer.status !== 503 && good(answer)
      })
      // A bounded number of them at a time: nobody knows how long it takes.
      if (i >= 10) await until('it is given back', async () => removed(await removeCart(api.url, cartId).catch(() => null)))
      else held.push(cartId)
    }
  }
  const customers = Promise.all(['a', 'b', 'c', 'd'].map(customer))
  await until('some hold units', async () => held.length >= 8)
  process.kill(killed, 'SIGKILL')
  await api.said(/an API process has ended, and is started again/)
  const again = await until('another one listens', async () => listeners(api).find((pid) => pid !== killed && pid !== other) ?? null)
  back.pid = again
  await customers
  t.strictSame((await served(api)).toSorted((a, b) => a - b), [other, again].toSorted((a, b) => a - b), 'two again')
  t.equal(await birthOf(killed), null)
  for (const cartId of held) t.equal(good(await readCart(api.url, cartId)).items[0]?.quantity, 1)
  t.match(await counters(redis, saleId, 'mug'), { inCarts: held.length }, 'each unit once')
  t.strictSame(await api.stop(), ended)
})

tap.test('whoever connects while a process is killed is answered or cut, and never left waiting', async (t) => {
  const { api } = await startTwo(t, await openStores(t))
  // The first process may not have heard yet that one has ended.
  const killed = new Set<number>()
  for (let kills = 0; kills < 8; kills += 1) {
    const alive = await until('two listen', async () => {
      const pids = (await served(api)).filter((pid) => listeners(api).includes(pid) && !killed.has(pid))
      return pids.length === 2 && pids
    })
    const outcomes: string[] = []
    const crowd = Array.from({ length: 100 }, async () => outcomes.push(await ask(api.url, '/healthz').then(() => 'answered', () => 'cut')))
    await Promise.race(crowd)
    process.kill(alive[0]!, 'SIGKILL')
    killed.add(alive[0]!)
    await until('everybody has heard', async () => outcomes.length === crowd.length)
    t.ok(outcomes.includes('answered'))
  }
  t.strictSame(await api.stop(), ended)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  tap.test(`${signal} ends all of them with 0, what is in flight answered, whether or not they get it as well, and leaves nothing`, async (t) => {
    const { redis, ...stores } = await openStores(t)
    const { api, pids } = await startTwo(t, stores)
    const { saleId } = await publish(api.url, [ware('mug', 100)])
    const crowd = Array.from({ length: 40 }, () => openCart(api.url, saleId, [{ sku: 'mug', quantity: 1 }]).then(({ status }) => status, () => null))
    await Promise.race(crowd)
    // As from a terminal or a supervisor, to one after the other, and once more.
    for (const pid of [pids[0], api.pid, ...pids, api.pid]) process.kill(pid, signal)
    t.strictSame(await api.ended, ended)
    for (const pid of [api.pid, ...pids]) t.equal(await birthOf(pid), null)
    const statuses = await Promise.all(crowd)
    const taken = statuses.filter((status) => status === 201).length
    t.ok(taken > 0, statuses.join())
    t.equal((await counters(redis, saleId, 'mug')).inCarts >= taken, true, 'who was answered holds a unit')
  })
}

tap.test('when the first process is killed, the others are gone as well', async (t) => {
  const { api, pids } = await startTwo(t, await openStores(t))
  api.kill('SIGKILL')
  await api.ended
  await until('both are gone', async () => (await Promise.all(pids.map(birthOf))).every((birth) => birth === null))
  await t.rejects(fetch(`${api.url}/healthz`), 'nobody listens')
})

tap.test('what none of them can start with ends all of them with 1, and with one line', async (t) => {
  const { redisUrl: sound, databaseUrl } = await openStores(t)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const noDatabase = new URL(sound)
  noDatabase.pathname = '/99'
  const settings = { ADMIN_TOKEN: adminToken, PAYMENT_WEBHOOK_SECRET: webhookSecret, LOG_LEVEL: 'fatal', API_PROCESSES: '3' }
  for (const [redisUrl, wanted, line] of [
    [sound, port, new RegExp(`^PORT: ${port} on 127.0.0.1 is taken by another process$`)],
    [noDatabase.href, 0, /REDIS_URL: this Redis has no database 99$/],
  ] as const) {
    const refused = startProcess(t, 'src/api.js', { redisUrl, databaseUrl }, { ...settings, PORT: String(wanted) })
    t.strictSame(await refused.ended, { code: 1, signal: null })
    t.equal(refused.lines.length, 1, refused.lines.join('\n'))
    t.match(refused.lines[0], line)
  }
})
