/** Whatever trouble Redis is in, a client hears the contract's 503 and nothing of the trouble, and is served once it is over. */
import tap, { type Test } from 'tap'
import { Redis } from 'ioredis'
import type { Order } from '../../src/contract.js'
import { until } from '../races/processes.js'
import { type Trouble, troubledRedis } from '../races/trouble.js'
import { assertWhole, counters, dump } from '../redis.js'
import { bodyCalls } from './calls.js'
import { adminToken, openApp, openShop, type Reply } from './shop.js'

type Shop = Awaited<ReturnType<typeof openShop>>

interface Asked {
  readonly name: string
  /** Of its success. */
  readonly status: number
  ask(): Promise<Reply<unknown>>
}

const { own, troubles } = await troubledRedis(tap)

/** @returns whatever writes to Redis, each ready to be asked for */
async function writes(shop: Shop): Promise<Asked[]> {
  const saleId = await shop.publish()
  const [line, gone] = [await shop.cart(saleId, { A: 1 }), await shop.cart(saleId, { A: 1 })]
  const { orderId } = await shop.order(saleId)
  // An adjustment without a key would be another one each time.
  const key = { 'idempotency-key': 'again' }
  const bodies = (await bodyCalls(shop)).filter(({ name }) => name !== 'an item')
  return [
    ...bodies.map(({ name, status, body, send }) => ({ name, status, ask: () => send(JSON.stringify(body), name === 'an adjustment' ? key : {}) })),
    { name: 'a line removed', status: 200, ask: () => shop.call('DELETE', `/v1/carts/${line.cartId}/items/A`) },
    { name: 'a cart removed', status: 204, ask: () => shop.call('DELETE', `/v1/carts/${gone.cartId}`) },
    { name: 'an order cancelled', status: 204, ask: () => shop.cancel(orderId) },
    { name: 'a pause', status: 200, ask: () => shop.operator('POST', `/sales/${saleId}/pause`) },
  ]
}

async function reads(shop: Shop): Promise<Asked[]> {
  const saleId = await shop.publish()
  const [{ cartId }, { orderId }] = [await shop.cart(saleId, { A: 1 }), await shop.order(saleId)]
  const look = (name: string, url: string): Asked => ({ name, status: 200, ask: () => shop.call('GET', url, { headers: { authorization: `Bearer ${adminToken}` } }) })
  return [
    look('all sales', '/v1/sales'), look('a sale', `/v1/sales/${saleId}`), look('an item', `/v1/sales/${saleId}/items/A`),
    look('a cart', `/v1/carts/${cartId}`), look('an order', `/v1/orders/${orderId}`), look('an audit', `/v1/admin/sales/${saleId}/audit`),
  ]
}

/** Asserts the 503 of the contract, to the letter: so there is no word of what the matter is in it. */
function unavailable(t: Test, reply: Reply<unknown>, what: string): void {
  t.strictSame([reply.status, JSON.parse(reply.text)], [503, {
    type: 'urn:flash-sale:problem:unavailable', title: 'The outcome is not known, or the store cannot be reached', status: 503,
    detail: 'The outcome is not known, or the store cannot be reached.', code: 'unavailable',
  }], what)
  t.match(reply.header('retry-after'), /^[1-9]\d*$/, `${what}: when to come again`)
}

async function served(t: Test, asked: readonly Asked[]): Promise<void> {
  for (const { name, status, ask } of asked) {
    const reply = await ask()
    t.equal(reply.status, status, `${name} is served: ${reply.text.slice(0, 100)}`)
  }
}

/** @returns the same, with all that happened while the trouble lasted */
async function during<T>(trouble: Trouble, work: () => Promise<T>): Promise<T> {
  await trouble.begin()
  try {
    return await work()
  } finally {
    await trouble.end()
  }
}

for (const trouble of troubles) {
  tap.test(`Redis is ${trouble.name}: nothing is taken, ${trouble.serves} can be had, and then everything goes on`, async (t) => {
    const shop = await openShop(t, undefined, own.url)
    const [writing, reading] = [await writes(shop), await reads(shop)]
    const before = await dump(shop.redis)
    await during(trouble, async () => {
      for (const { name, ask } of writing) unavailable(t, await ask(), name)
      if (trouble.serves === 'reads') await served(t, reading)
      else for (const { name, ask } of reading) unavailable(t, await ask(), name)
      t.equal((await shop.call('GET', '/healthz')).status, 200, 'the process lives')
      await shop.putItem('lamp')
    })
    t.strictSame(await dump(shop.redis), before, 'nothing was written')
    await served(t, [...writing, ...reading])
  })

  tap.test(`Redis is ${trouble.name} right after the provider took the money: the order is paid once that is over`, async (t) => {
    const shop = await openShop(t, undefined, own.url)
    const saleId = await shop.publish()
    const { orderId } = await shop.order(saleId)
    const provider: typeof shop.provider = {
      ...shop.provider,
      async charge(attempt, token) {
        const status = await shop.provider.charge(attempt, token)
        await trouble.begin()
        return status
      },
    }
    const { call } = await openApp(t, { ...shop, provider })
    const pay = () => call<Order>('POST', `/v1/orders/${orderId}/payments`, { body: { paymentToken: 'tok_ok' } })
    const reply = await pay().finally(trouble.end)
    unavailable(t, reply, 'a payment')
    t.match(await shop.read(orderId), { status: 'payment_pending' })
    t.match(await pay(), { status: 409 }, 'nobody is charged twice meanwhile')
    await shop.later(saleId, 5)
    t.equal(await shop.askProvider(saleId), 1)
    t.match(await shop.read(orderId), { status: 'paid' })
    t.equal(await shop.drain(saleId), 1)
    t.match(await shop.operator('GET', `/sales/${saleId}/audit`), { body: { ok: true, items: [{ sold: 1, persisted: 1 }] } })
  })
}

tap.test('Redis keeps writes waiting for longer than a request may: each outcome is not known, and is one effect when asked again', async (t) => {
  const shop = await openShop(t, undefined, own.url)
  const saleId = await shop.publish({ items: { A: 100 } })
  const watcher = new Redis(own.url)
  t.teardown(() => watcher.disconnect())
  const people = Array.from({ length: 20 }, (_, i) => `person-${i}`)
  const take = (key: string) => shop.take(saleId, { A: 2 }, key)
  // As a failover does it.
  await watcher.client('PAUSE', 60_000, 'WRITE')
  try {
    const replies = await Promise.all(people.map(take))
    for (const reply of replies) unavailable(t, reply, 'a cart')
  } finally {
    await watcher.client('UNPAUSE')
  }
  for (const key of people) {
    const reply = await until('it is served', async () => {
      const again = await take(key)
      return again.status === 503 ? null : again
    })
    t.equal(reply.status, 201)
  }
  t.match(await counters(shop.redis, saleId, 'A'), { available: 60, inCarts: 40 }, 'everybody has one cart')
  await assertWhole(t, shop.redis, saleId)
})

tap.test('an operator kills the script that a batch of customers is in: all of it is done, or none', async (t) => {
  const shop = await openShop(t, undefined, own.url)
  const skus = Array.from({ length: 100 }, (_, i) => `S${i}`)
  const saleId = await shop.publish({ items: Object.fromEntries(skus.map((sku) => [sku, 1_000])) })
  const lines = Object.fromEntries(skus.map((sku) => [sku, 1]))
  const killer = new Redis(own.url)
  t.teardown(() => killer.disconnect())
  await killer.ping()
  const asked = new AbortController()
  let killed = 0
  const killing = (async () => {
    while (!asked.signal.aborted) killed += await killer.script('KILL').then(() => 1, () => 0)
  })()
  const replies: Reply<unknown>[] = []
  // Each has a key, so that the script is at it for long: those who ask for the same are decided at once.
  const take = (round: number, customer: number) => shop.take(saleId, lines, `${round}-${customer}`)
  for (let round = 0; round < 4; round += 1) replies.push(...(await Promise.all(Array.from({ length: 100 }, (_, customer) => take(round, customer)))))
  asked.abort()
  await killing
  const [done, not] = [replies.filter(({ status }) => status === 201), replies.filter(({ status }) => status !== 201)]
  t.ok(killed > 0, `killed ${killed} times`)
  for (const reply of not) unavailable(t, reply, 'a cart')
  t.match(await counters(shop.redis, saleId, 'S99'), { available: 1_000 - done.length, inCarts: done.length })
  await assertWhole(t, shop.redis, saleId)
  await served(t, [{ name: 'a cart', status: 201, ask: () => shop.take(saleId, lines) }])
})
