/** Who may call from where, how often, and how much at once. */
import tap from 'tap'
import { assertWhole, counters } from '../redis.js'
import { refused } from './refused.js'
import { openApp, openShop } from './shop.js'

const shop = await openShop(tap)
const times = (count: number) => Array.from({ length: count }, (_, n) => n)
/** One after the other, as requests come over sockets: injected in one turn, all would be counted before any is answered. */
async function inTurn<T>(count: number, ask: (n: number) => Promise<T>): Promise<T[]> {
  const replies: T[] = []
  for (const n of times(count)) replies.push(await ask(n))
  return replies
}

void tap.test('a client over its limit is told when to come again; what machines poll is not counted', async (t) => {
  const { call } = await openApp(t, shop, { rateLimitMax: 5 })
  const replies = await inTurn(30, () => call('GET', '/v1/sales'))
  const over = replies.filter(({ status }) => status !== 200)
  // A second may turn while they run, and then another five are let through.
  t.ok(over.length >= 20 && over.length <= 25, `${over.length} of 30 were over`)
  for (const reply of over) refused(t, reply, 'too_many_requests')
  for (const url of ['/healthz', '/readyz', '/metrics']) {
    const polled = await inTurn(10, () => call('GET', url))
    t.ok(polled.every(({ status }) => status === 200), url)
  }
  const lost = await inTurn(30, () => call('GET', '/nowhere'))
  t.ok(lost.filter(({ status }) => status === 429).length >= 20, 'an address that is nowhere is counted')
})

void tap.test('with a limit of 0 nobody is counted', async (t) => {
  const replies = await Promise.all(times(300).map(() => shop.call('GET', '/v1/sales')))
  t.ok(replies.every(({ status }) => status === 200))
})

void tap.test('a client is who connects; behind a proxy that is trusted, whom the proxy names', async (t) => {
  for (const [trustProxy, separate] of [[[], false], [['127.0.0.0/8'], true], [['10.0.0.0/8'], false]] as const) {
    const { call } = await openApp(t, shop, { rateLimitMax: 5, trustProxy: [...trustProxy] })
    const replies = await inTurn(30, (n) => call('GET', '/v1/sales', { headers: { 'x-forwarded-for': `192.0.2.${n + 1}` } }))
    const over = replies.filter(({ status }) => status === 429).length
    t.ok(separate ? over === 0 : over >= 20, `trusting ${trustProxy.join() || 'nobody'}, ${over} of 30 were over`)
  }
})

void tap.test('pages of the origins named may call, and no others', async (t) => {
  const origin = 'https://shop.example'
  const { call } = await openApp(t, shop, { corsOrigins: [origin] })
  const allowed = async (from: string) => (await call('GET', '/v1/sales', { headers: { origin: from } })).header('access-control-allow-origin')
  t.equal(await allowed(origin), origin)
  t.not(await allowed('https://evil.example'), 'https://evil.example')
  t.not(await allowed('https://evil.example'), '*')
  const preflight = await call('OPTIONS', '/v1/sales/x/carts', {
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type, idempotency-key' },
  })
  t.ok(preflight.status === 204 || preflight.status === 200)
  t.match(preflight.header('access-control-allow-methods') ?? '', /POST/)
  t.match(preflight.header('access-control-allow-headers') ?? '', /idempotency-key/i)
  const { header } = await call('GET', '/v1/sales', { headers: { origin } })
  t.match(header('access-control-expose-headers') ?? '', /Location.*Retry-After/i)
})

void tap.test('with * any page may call, and with nothing set none', async (t) => {
  const { call } = await openApp(t, shop, { corsOrigins: ['*'] })
  const headers = { origin: 'https://any.example' }
  t.equal((await call('GET', '/v1/sales', { headers })).header('access-control-allow-origin'), '*')
  t.equal((await shop.call('GET', '/v1/sales', { headers })).header('access-control-allow-origin'), undefined)
})

void tap.test('what is too much at once is shed, and every other request is decided', async (t) => {
  const saleId = await shop.publish({ items: { A: 100_000 } })
  const replies = await Promise.all(times(6_000).map(() =>
    shop.app.inject({ method: 'POST', url: `/v1/sales/${saleId}/carts`, payload: { items: [{ sku: 'A', quantity: 1 }] } })))
  const taken = replies.filter(({ statusCode }) => statusCode === 201).length
  const shed = replies.filter(({ statusCode }) => statusCode !== 201)
  t.ok(shed.length > 0, `${shed.length} of 6,000 were shed`)
  for (const { statusCode, headers, payload } of shed.slice(0, 20)) {
    refused(t, { status: statusCode, text: payload, body: undefined, header: (name) => headers[name]?.toString() }, 'overloaded')
  }
  t.ok(shed.every(({ statusCode }) => statusCode === 503))
  t.equal((await counters(shop.redis, saleId, 'A')).inCarts, taken, 'who was shed took nothing')
  await assertWhole(t, shop.redis, saleId)
})
