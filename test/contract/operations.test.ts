import tap from 'tap'
import { refused } from './refused.js'
import { databaseOn, engineOn, openApp, openShop } from './shop.js'
import type { OpenApi } from './openapi.js'

const shop = await openShop(tap)
/** Where nobody listens. */
const nobody = '127.0.0.1:1'

/** Every call of the contract, and what it may answer beside what every call may. */
const calls: [string, string, number[]][] = [
  ['get', '/v1/sales', [200]],
  ['get', '/v1/sales/{saleId}', [200, 404]],
  ['get', '/v1/sales/{saleId}/items/{sku}', [200, 404]],
  ['get', '/v1/sales/{saleId}/events', [200, 404, 503]],
  ['post', '/v1/sales/{saleId}/carts', [201, 404, 409, 410, 422]],
  ['get', '/v1/carts/{cartId}', [200, 404, 410]],
  ['put', '/v1/carts/{cartId}/items/{sku}', [200, 404, 409, 410, 422]],
  ['delete', '/v1/carts/{cartId}/items/{sku}', [200, 404, 409, 410]],
  ['delete', '/v1/carts/{cartId}', [204, 404, 409, 410]],
  ['post', '/v1/carts/{cartId}/checkout', [200, 201, 404, 409, 410]],
  ['post', '/v1/orders/{orderId}/payments', [200, 202, 402, 404, 409, 410, 503]],
  ['get', '/v1/orders/{orderId}', [200, 404]],
  ['delete', '/v1/orders/{orderId}', [204, 404, 409, 410]],
  ['post', '/v1/payments/events', [200, 401]],
  ['put', '/v1/admin/items/{sku}', [200, 201, 401, 409]],
  ['get', '/v1/admin/items/{sku}', [200, 401, 404]],
  ['post', '/v1/admin/items/{sku}/adjustments', [201, 401, 404, 409, 422]],
  ['post', '/v1/admin/sales', [201, 401, 404, 409]],
  ['post', '/v1/admin/sales/{saleId}/pause', [200, 401, 404, 409]],
  ['post', '/v1/admin/sales/{saleId}/resume', [200, 401, 404, 409]],
  ['post', '/v1/admin/sales/{saleId}/end', [200, 401, 404, 409]],
  ['get', '/v1/admin/sales/{saleId}/audit', [200, 401, 404]],
  ['get', '/v1/admin/sales/{saleId}/figures', [200, 401, 404]],
  ['post', '/v1/admin/queues/session', [204, 401]],
  ['get', '/healthz', [200]],
  ['get', '/readyz', [200, 503]],
  ['get', '/metrics', [200]],
]

void tap.test('the OpenAPI document has every call of the contract', async (t) => {
  const { call } = shop
  const { status, body, header } = await call<OpenApi>('GET', '/openapi.json')
  t.equal(status, 200)
  t.match(header('content-type') ?? '', /^application\/json/)
  t.match(body.openapi, /^3\./)
  for (const [method, path, statuses] of calls) {
    await t.test(`${method.toUpperCase()} ${path}`, async (inner) => {
      const responses = body.paths[path]?.[method]?.responses ?? {}
      inner.strictSame(statuses.filter((one) => !(one in responses)), [], 'with all of its answers')
      inner.strictSame(Object.keys(responses).filter((one) => ['', 'Default Response'].includes(responses[one]!.description)), [], 'each of them described')
    })
  }
  const known = new Set(calls.map(([method, path]) => `${method} ${path}`))
  const extra = Object.entries(body.paths).flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method} ${path}`)).filter((one) => !known.has(one))
  t.strictSame(extra, [], 'and no other')
})

void tap.test('the contract can be read as a page', async (t) => {
  const { status, text, header } = await shop.call('GET', '/docs')
  const page = status === 302 ? await shop.call('GET', header('location') ?? '') : { status, text, header }
  t.equal(page.status, 200)
  t.match(page.header('content-type') ?? '', /^text\/html/)
})

void tap.test('the process lives, whatever else does', async (t) => {
  const database = databaseOn(t, `postgres://nobody@${nobody}/none`)
  const { call } = await openApp(t, { ...engineOn(t, `redis://${nobody}`, database), database })
  t.match(await call('GET', '/healthz'), { status: 200, body: { status: 'ok' } })
})

void tap.test('it is ready while Redis serves; Postgres and the worker are only named', async (t) => {
  t.match(await shop.call('GET', '/readyz'), { status: 200, body: { status: 'degraded', redis: true, postgres: true, worker: false } })
  await shop.engine.heartbeat()
  t.match(await shop.call('GET', '/readyz'), { status: 200, body: { status: 'ready', redis: true, postgres: true, worker: true } })
  const { call } = await openApp(t, { ...shop, database: databaseOn(t, `postgres://nobody@${nobody}/none`) })
  t.match(await call('GET', '/readyz'), { status: 200, body: { status: 'degraded', redis: true, postgres: false, worker: true } })
})

void tap.test('a sale goes on without Postgres', async (t) => {
  const saleId = await shop.publish()
  const { call } = await openApp(t, { ...shop, database: databaseOn(t, `postgres://nobody@${nobody}/none`) })
  const cart = await call<{ cartId: string }>('POST', `/v1/sales/${saleId}/carts`, { body: { items: [{ sku: 'A', quantity: 1 }] } })
  t.equal(cart.status, 201)
  const order = (await shop.checkout(cart.body.cartId)).body
  t.match(await call('POST', `/v1/orders/${order.orderId}/payments`, { body: { paymentToken: 'tok_ok' } }), { status: 200, body: { status: 'paid' } })
  t.equal((await call('GET', `/v1/orders/${order.orderId}`)).status, 200)
  const unknown = `${order.orderId.slice(0, -4)}AAAA`
  refused(t, await call('GET', `/v1/orders/${unknown}`), 'unavailable')
  refused(t, await shop.call('GET', `/v1/orders/${unknown}`), 'order_not_found')
})

void tap.test('with Redis away nothing is promised, and everything says when to come again', async (t) => {
  const { database } = shop
  const { call } = await openApp(t, { ...engineOn(t, `redis://${nobody}`, database), database })
  const ready = await call<object>('GET', '/readyz')
  t.equal(ready.status, 503)
  t.match(ready.header('retry-after') ?? '', /^\d+$/)
  t.match(ready.body, { code: 'unavailable', redis: false, postgres: true, worker: false })
  const saleId = await shop.publish()
  const { orderId, cartId } = await shop.order(saleId)
  const body = { items: [{ sku: 'A', quantity: 1 }] }
  for (const ask of [
    () => call('GET', '/v1/sales'), () => call('GET', `/v1/sales/${saleId}`), () => call('GET', `/v1/sales/${saleId}/items/A`),
    () => call('POST', `/v1/sales/${saleId}/carts`, { body }), () => call('GET', `/v1/carts/${cartId}`),
    () => call('PUT', `/v1/carts/${cartId}/items/A`, { body: { quantity: 1 } }), () => call('DELETE', `/v1/carts/${cartId}`),
    () => call('GET', `/v1/orders/${orderId}`), () => call('DELETE', `/v1/orders/${orderId}`),
    () => call('POST', `/v1/orders/${orderId}/payments`, { body: { paymentToken: 'tok_ok' } }),
  ]) refused(t, await ask(), 'unavailable')
  t.equal((await call('GET', '/metrics')).status, 200, 'what is measured can be read all the same')
})

void tap.test('what an operator watches is in the metrics', async (t) => {
  const saleId = await shop.publish({ items: { A: 3 } })
  await shop.paid(saleId)
  await shop.drain(saleId)
  await shop.paid(saleId)
  refused(t, await shop.take(saleId, { A: 2 }), 'insufficient_stock')
  refused(t, await shop.look('nobody'), 'cart_not_found')
  const { text, header } = await shop.call('GET', '/metrics')
  t.match(header('content-type') ?? '', /^text\/plain/)
  const lines = text.split('\n')
  const value = (series: string) => Number(lines.find((line) => line.startsWith(`${series} `))?.split(' ').at(-1))
  t.ok(value('flash_sale_http_requests_total{method="POST",route="/v1/sales/:saleId/carts",status="201"}') >= 2, 'answers by route and status')
  t.ok(value('flash_sale_http_requests_total{method="POST",route="/v1/sales/:saleId/carts",status="409"}') >= 1)
  t.ok(value('flash_sale_http_requests_total{method="GET",route="/v1/carts/:cartId",status="404"}') >= 1)
  const durations = lines.filter((line) => /^flash_sale_http_request_duration_seconds_\w+\{.*method="POST",route="\/v1\/sales\/:saleId\/carts"\}/.test(line))
  const [buckets, totals] = [durations.filter((line) => line.includes('_bucket{')), durations.filter((line) => !line.includes('_bucket{'))]
  const upTo = buckets.map((line) => Number(line.split(' ').at(-1)))
  t.strictSame(buckets.map((line) => /le="([^"]+)"/.exec(line)?.[1]), ['0.001', '0.0025', '0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf'], 'durations')
  t.strictSame(upTo, upTo.toSorted((a, b) => a - b), 'each bucket has those of the one before')
  const [total = NaN, count] = totals.map((line) => Number(line.split(' ').at(-1)))
  t.equal(count, upTo.at(-1))
  t.equal(count, [201, 409].reduce((sum, status) => sum + value(`flash_sale_http_requests_total{method="POST",route="/v1/sales/:saleId/carts",status="${status}"}`), 0), 'of every answer')
  t.ok(total > 0 && total < 10 * upTo.at(-1)!)
  t.ok(value('flash_sale_holds_total{result="taken"}') >= 2, 'holds')
  t.ok(value('flash_sale_holds_total{result="insufficient_stock"}') >= 1)
  t.ok(value('flash_sale_refusals_total{code="cart_not_found"}') >= 1, 'refusals by reason')
  t.ok(value('flash_sale_batch_size_count{script="hold"}') >= 3, 'batches')
  t.ok(value('flash_sale_batch_size_sum{script="hold"}') >= 3)
  t.equal(value(`flash_sale_outbox_length{sale="${saleId}"}`), 1, 'what waits for Postgres')
  t.ok(value(`flash_sale_outbox_oldest_seconds{sale="${saleId}"}`) >= 0)
  t.equal(value(`flash_sale_orders_persisted_total{sale="${saleId}"}`), 1, 'what Postgres has')
  t.notMatch(text, /[cop]\.sale-[\w-]+\.0\./, 'and no id of a customer')
})
