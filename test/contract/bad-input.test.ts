/** Bodies whose fields are off: nothing is coerced, nothing is ignored, and nothing is written. */
import tap from 'tap'
import { assertWhole, counters } from '../redis.js'
import { bodyCalls, type Field, fieldsOf, written } from './calls.js'
import { invalid, refused } from './refused.js'
import { newId, openShop } from './shop.js'

const shop = await openShop(tap)
const calls = await bodyCalls(shop)

/** What is neither a number nor a text, and what only looks like one. */
const wrongForAll = ['true', 'false', 'null', '["3"]', '[3]', '[[]]', '{"toString":"3"}']
const wrongForNumbers = ['"3"', '""', '1.5', '1e-3', '1e309', '-1e309', '9007199254740993', '-9007199254740993', ...wrongForAll]
const wrongForTexts = ['3', '0', '"a\\u0000b"', '"a\\ud800b"', '"\\udfffa"', '"a\\u007fb"', ...wrongForAll]
const mayBeZero = /^\/quantity$|\/(?:amount|allocation|lowStockAt)$/
const mayBeNegative = '/delta'
/** What may be left empty, or have more than one line. */
const prose = '/description'

function wrongFor({ path, value }: Field): readonly string[] {
  if (typeof value === 'string') return path === prose ? wrongForTexts : [...wrongForTexts, '""', '"a\\r\\nb"']
  if (typeof value !== 'number') return ['"3"', '3', 'true', 'null', Array.isArray(value) ? '{}' : '[]']
  return [...wrongForNumbers, ...(mayBeZero.test(path) ? [] : ['0', '-0', '0.0']), ...(path === mayBeNegative ? [] : ['-1', '-3'])]
}

for (const { name, body, send } of calls) {
  void tap.test(`${name} with a value of another kind is refused where it is, and nothing is written`, async (t) => {
    const before = await written(shop)
    for (const field of fieldsOf(body)) {
      for (const json of wrongFor(field)) {
        const reply = await send(field.as(json))
        t.equal(reply.status, 400, `${field.path} as ${encodeURIComponent(json)}`)
        invalid(t, reply, field.path)
      }
    }
    t.strictSame(await written(shop), before)
  })
}

for (const { name, body, send } of calls.filter((call) => call.name !== 'a payment event')) {
  void tap.test(`${name} with a field that nobody knows is refused, and nothing is written`, async (t) => {
    const before = await written(shop)
    const objects = [{ path: '', value: body, as: (json: string) => json }, ...fieldsOf(body)].filter(({ value }) => typeof value === 'object' && !Array.isArray(value))
    for (const { path, value, as } of objects) {
      for (const [extra, named] of [['extra', 'extra'], ['', ''], ['a/b~c', 'a~1b~0c'], ['constructor', 'constructor'], ['toString', 'toString'], ['x'.repeat(1_000), 'x'.repeat(64)]] as const) {
        invalid(t, await send(as(JSON.stringify({ ...value as object, [extra]: 1 }))), `${path}/${named}`)
      }
    }
    t.strictSame(await written(shop), before)
  })
}

for (const { name, body, send } of calls) {
  void tap.test(`${name} that reaches for a prototype is refused, and nothing is written`, async (t) => {
    const before = await written(shop)
    const good = JSON.stringify(body)
    const inner = good.lastIndexOf('{') + 1
    for (const field of ['"__proto__":{"quantity":1}', '"__proto__":null', '"\\u005f_proto_\\u005f":{}', '"constructor":{"prototype":{"quantity":1}}']) {
      invalid(t, await send(`{${field},${good.slice(1)}`), '')
      invalid(t, await send(`${good.slice(0, inner)}${field},${good.slice(inner)}`), '')
      invalid(t, await send(`{"more":[{${field}}],${good.slice(1)}`), '')
    }
    t.strictSame(await written(shop), before)
  })
}

void tap.test('lines of one item are summed, however many: they are no way round what a cart may hold', async (t) => {
  const saleId = await shop.publish({ items: { A: { allocation: 500, maxPerCart: 120 }, B: 500 } })
  const ask = (sku: string, count: number, quantity = 1) =>
    shop.call('POST', `/v1/sales/${saleId}/carts`, { body: { items: Array.from({ length: count }, () => ({ sku, quantity })) } })
  const before = await written(shop)
  refused(t, await ask('A', 2, 61), 'limit_exceeded', { items: [{ sku: 'A', requested: 122, maxPerCart: 120 }] })
  refused(t, await ask('A', 121), 'limit_exceeded', { items: [{ sku: 'A', requested: 121, maxPerCart: 120 }] })
  refused(t, await ask('B', 501), 'insufficient_stock', {
    items: [{ sku: 'B', requested: 501, stock: { quantity: 500, available: 500, inOtherCarts: 0 }, soldOut: false, mayReturnAt: null }],
  })
  for (const count of [2, 10]) invalid(t, await ask('B', count, 1_000_000_000), '/items')
  t.strictSame(await written(shop), before)
  t.match(await ask('A', 120), { status: 201, body: { items: [{ sku: 'A', quantity: 120 }] } })
  t.match(await counters(shop.redis, saleId, 'A'), { available: 380, inCarts: 120 })
  await assertWhole(t, shop.redis, saleId)
})

void tap.test('lines without end are refused, whatever they are for', async (t) => {
  const saleId = await shop.publish()
  const before = await written(shop)
  const lines = (count: number, sku: (n: number) => string) => ({ items: Array.from({ length: count }, (_, n) => ({ sku: sku(n), quantity: 1 })) })
  for (const [count, sku] of [[101, (n: number) => `s${n}`], [1_001, (n: number) => `s${n}`], [2_000, () => 'A']] as const) {
    invalid(t, await shop.call('POST', `/v1/sales/${saleId}/carts`, { body: lines(count, sku) }), '/items')
  }
  t.strictSame(await written(shop), before)
})

void tap.test('a line of a cart is held to what one cart may have, whatever was there before', async (t) => {
  const saleId = await shop.publish({ items: { A: { maxPerCart: 3 } } })
  const { cartId } = await shop.cart(saleId, { A: 3 })
  const before = await written(shop)
  for (const quantity of [4, 10, 11, 1_000_000_000]) {
    refused(t, await shop.set(cartId, 'A', quantity), 'limit_exceeded', { items: [{ sku: 'A', requested: quantity, maxPerCart: 3 }] })
  }
  t.strictSame(await written(shop), before)
})

void tap.test('a signature of any length is a bad one at most', async (t) => {
  const { orderId } = await shop.pending(await shop.publish())
  const before = await written(shop)
  invalid(t, await shop.event({ orderId, paymentId: newId('pay') }, { header: `t=1,${'v1=00,'.repeat(200)}` }), 'headers/payment-signature')
  refused(t, await shop.event({ orderId, paymentId: newId('pay') }, { header: `t=1,${'v1=00,'.repeat(100)}` }), 'unauthorized')
  t.strictSame(await written(shop), before)
})

void tap.test('each of these calls does well with the same body, nothing in it off', async (t) => {
  for (const { name, body, status, send } of calls) t.equal((await send(JSON.stringify(body))).status, status, name)
})
