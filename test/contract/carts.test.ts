import tap from 'tap'
import { dump } from '../redis.js'
import type { Cart } from '../../src/contract.js'
import { invalid, refused } from './refused.js'
import { newId, openShop, timeAt, usd } from './shop.js'

const shop = await openShop(tap)
const nothingHeld = { quantity: 10, available: 10, inCarts: 0 }

void tap.test('a cart takes its items at once, and tells everything about them', async (t) => {
  const saleId = await shop.publish({ items: { A: 10, B: { price: usd(1_999), maxPerCart: 3 } } })
  await shop.at(saleId, 0)
  const reply = await shop.take(saleId, { B: 3, A: 6 })
  const { cartId } = reply.body
  t.equal(reply.status, 201)
  t.equal(reply.header('location'), `/v1/carts/${cartId}`)
  const cart = {
    cartId, saleId, status: 'open', expiresAt: timeAt(600), total: usd(20_997), orderId: null,
    items: [
      { sku: 'B', name: 'Item B', quantity: 3, unitPrice: usd(1_999), lineTotal: usd(5_997), stock: { quantity: 10, available: 7, inOtherCarts: 0 }, lowStock: false, mayReturnAt: null },
      { sku: 'A', name: 'Item A', quantity: 6, unitPrice: usd(2_500), lineTotal: usd(15_000), stock: { quantity: 10, available: 4, inOtherCarts: 0 }, lowStock: true, mayReturnAt: null },
    ],
  }
  t.strictSame(reply.body, cart)
  const read = await shop.look(cartId)
  t.equal(read.status, 200)
  t.strictSame(read.body, cart)
  t.equal(read.header('cache-control'), 'no-store')
})

void tap.test('a cart’s id says nothing that could be guessed, and fits into any URL', async (t) => {
  const saleId = await shop.publish({ saleId: 'L'.repeat(32), items: { A: 100 } })
  const carts = await Promise.all(Array.from({ length: 20 }, () => shop.cart(saleId, { A: 1 })))
  t.equal(new Set(carts.map(({ cartId }) => cartId)).size, 20)
  for (const { cartId } of carts) {
    t.match(cartId, /^[A-Za-z0-9._~-]{22,80}$/)
    t.equal(encodeURIComponent(cartId), cartId)
  }
})

void tap.test('lines of one item are summed before they are counted', async (t) => {
  const saleId = await shop.publish({ items: { A: 200 } })
  const lines = (count: number, sku: (i: number) => string = () => 'A') => ({ body: { items: Array.from({ length: count }, (_, i) => ({ sku: sku(i), quantity: 1 })) } })
  const { status, body } = await shop.call<Cart>('POST', `/v1/sales/${saleId}/carts`, lines(101))
  t.equal(status, 201)
  t.match(body.items, [{ sku: 'A', quantity: 101 }])
  invalid(t, await shop.call('POST', '/v1/sales/nobody/carts', lines(101, (i) => `s${i}`)), '/items')
  invalid(t, await shop.call('POST', '/v1/sales/nobody/carts', { body: { items: [{ sku: 'A', quantity: 1e9 }, { sku: 'A', quantity: 1 }] } }), '/items')
  invalid(t, await shop.call('POST', `/v1/sales/${saleId}/carts`, lines(1_001)), '/items')
})

void tap.test('a cart can be made empty, with or without a body', async (t) => {
  const saleId = await shop.publish()
  await shop.at(saleId, 0)
  for (const body of [undefined, {}, { items: [] }]) {
    const { status, body: cart } = await shop.call<object>('POST', `/v1/sales/${saleId}/carts`, body === undefined ? {} : { body })
    t.equal(status, 201)
    t.match(cart, { saleId, status: 'open', expiresAt: timeAt(600), items: [], total: usd(0), orderId: null })
  }
})

void tap.test('all of a cart’s items are taken, or none', async (t) => {
  const saleId = await shop.publish({ items: { A: 10, B: 2, C: 0 } })
  const before = await dump(shop.redis)
  refused(t, await shop.take(saleId, { A: 1, B: 3, C: 1 }), 'insufficient_stock', {
    items: [
      { sku: 'B', requested: 3, stock: { quantity: 2, available: 2, inOtherCarts: 0 }, soldOut: false, mayReturnAt: null },
      { sku: 'C', requested: 1, stock: { quantity: 0, available: 0, inOtherCarts: 0 }, soldOut: true, mayReturnAt: null },
    ],
  })
  refused(t, await shop.take(saleId, { A: 1, nothing: 1 }), 'item_not_found')
  refused(t, await shop.take('nobody', { A: 1 }), 'sale_not_found')
  t.strictSame(await dump(shop.redis), before)
})

void tap.test('lines of one item in one request are summed', async (t) => {
  const saleId = await shop.publish({ items: { A: { allocation: 10, maxPerCart: 4 }, B: 10 } })
  const lines = (...items: [string, number][]) =>
    shop.call<object>('POST', `/v1/sales/${saleId}/carts`, { body: { items: items.map(([sku, quantity]) => ({ sku, quantity })) } })
  t.match((await lines(['A', 1], ['B', 2], ['A', 3])).body, { items: [{ sku: 'A', quantity: 4 }, { sku: 'B', quantity: 2 }], total: usd(15_000) })
  refused(t, await lines(['A', 3], ['A', 2]), 'limit_exceeded', { items: [{ sku: 'A', requested: 5, maxPerCart: 4 }] })
  refused(t, await lines(['B', 5], ['B', 4]), 'insufficient_stock', {
    items: [{ sku: 'B', requested: 9, stock: { quantity: 10, available: 8, inOtherCarts: 2 }, soldOut: false, mayReturnAt: null }],
  })
})

void tap.test('a line is set to a quantity, so a retry is harmless', async (t) => {
  const saleId = await shop.publish({ items: { A: 10, B: 10 } })
  const { cartId } = await shop.cart(saleId)
  for (const [sku, quantity, lines] of [
    ['A', 2, { A: 2 }], ['A', 2, { A: 2 }], ['B', 1, { A: 2, B: 1 }], ['A', 5, { A: 5, B: 1 }], ['A', 1, { A: 1, B: 1 }], ['A', 0, { B: 1 }], ['A', 0, { B: 1 }],
  ] as const) {
    const { status, body } = await shop.set(cartId, sku, quantity)
    t.equal(status, 200)
    t.strictSame(Object.fromEntries(body.items.map((line) => [line.sku, line.quantity])), lines, `${sku} set to ${quantity}`)
    t.equal(body.total.amount, 2_500 * body.items.reduce((sum, line) => sum + line.quantity, 0))
  }
  t.strictSame((await shop.item(saleId, 'A')).stock, nothingHeld)
  t.strictSame((await shop.item(saleId, 'B')).stock, { quantity: 10, available: 9, inCarts: 1 })
})

void tap.test('what a line should have had is what a refusal names', async (t) => {
  const saleId = await shop.publish({ items: { A: { allocation: 5 }, B: { maxPerCart: 2 } } })
  const { cartId } = await shop.cart(saleId, { A: 2, B: 1 })
  const before = await dump(shop.redis)
  refused(t, await shop.set(cartId, 'A', 6), 'insufficient_stock', {
    items: [{ sku: 'A', requested: 6, stock: { quantity: 5, available: 3, inOtherCarts: 0 }, soldOut: false, mayReturnAt: null }],
  })
  refused(t, await shop.set(cartId, 'B', 3), 'limit_exceeded', { items: [{ sku: 'B', requested: 3, maxPerCart: 2 }] })
  refused(t, await shop.set(cartId, 'nothing', 1), 'item_not_found')
  t.strictSame(await dump(shop.redis), before, 'a refusal changes nothing')
  t.equal((await shop.set(cartId, 'A', 5)).status, 200, 'its own units count for it')
})

void tap.test('a line can be removed, twice as well', async (t) => {
  const saleId = await shop.publish({ items: { A: 10, B: 10 } })
  const { cartId } = await shop.cart(saleId, { A: 2, B: 1 })
  for (let time = 1; time <= 2; time += 1) {
    const { status, body } = await shop.call<object>('DELETE', `/v1/carts/${cartId}/items/A`)
    t.equal(status, 200)
    t.match(body, { cartId, items: [{ sku: 'B', quantity: 1 }], total: usd(2_500) })
  }
  t.strictSame((await shop.item(saleId, 'A')).stock, nothingHeld)
  refused(t, await shop.call('DELETE', `/v1/carts/${cartId}/items/nothing`), 'item_not_found')
})

void tap.test('a cart given back is gone, and its units are free', async (t) => {
  const saleId = await shop.publish()
  const { cartId } = await shop.cart(saleId, { A: 10 })
  const { status, text } = await shop.call('DELETE', `/v1/carts/${cartId}`)
  t.strictSame({ status, text }, { status: 204, text: '' })
  t.strictSame((await shop.item(saleId, 'A')).stock, nothingHeld)
  refused(t, await shop.look(cartId), 'cart_not_found')
  refused(t, await shop.set(cartId, 'A', 1), 'cart_not_found')
  refused(t, await shop.checkout(cartId), 'cart_not_found')
  refused(t, await shop.call('DELETE', `/v1/carts/${cartId}`), 'cart_not_found')
})

void tap.test('a client’s default headers do not break a DELETE', async (t) => {
  const { cartId } = await shop.cart(await shop.publish(), { A: 1 })
  t.equal((await shop.call('DELETE', `/v1/carts/${cartId}`, { headers: { 'content-type': 'application/json' } })).status, 204)
})

void tap.test('a checked-out cart shows its order, and cannot be changed', async (t) => {
  const saleId = await shop.publish()
  const { cartId, items } = await shop.cart(saleId, { A: 2 })
  const { orderId } = (await shop.checkout(cartId)).body
  t.match((await shop.look(cartId)).body, { cartId, status: 'checked_out', orderId, items: [{ sku: 'A', quantity: 2, stock: items[0]!.stock }], total: usd(5_000) })
  refused(t, await shop.set(cartId, 'A', 1), 'cart_checked_out')
  refused(t, await shop.call('DELETE', `/v1/carts/${cartId}/items/A`), 'cart_checked_out')
  refused(t, await shop.call('DELETE', `/v1/carts/${cartId}`), 'cart_checked_out')
})

void tap.test('a cart has up to 100 lines', async (t) => {
  const skus = Array.from({ length: 101 }, (_, n) => `line-${n}`)
  const saleId = await shop.publish({ items: Object.fromEntries(skus.map((sku) => [sku, 5])) })
  refused(t, await shop.take(saleId, Object.fromEntries(skus.map((sku) => [sku, 1]))), 'invalid_request')
  const { cartId, items } = await shop.cart(saleId, Object.fromEntries(skus.slice(1).map((sku) => [sku, 1])))
  t.equal(items.length, 100)
  refused(t, await shop.set(cartId, skus[0]!, 1), 'invalid_request')
  t.equal((await shop.set(cartId, skus[1]!, 2)).status, 200)
  t.equal((await shop.set(cartId, skus[1]!, 0)).status, 200)
  t.equal((await shop.set(cartId, skus[0]!, 1)).status, 200)
})

void tap.test('a total stays a number that JSON carries exactly', async (t) => {
  const dear = newId('sku')
  const saleId = await shop.publish({ items: { [dear]: { price: usd(Number.MAX_SAFE_INTEGER), allocation: 5 }, A: 5 } })
  t.equal((await shop.cart(saleId, { [dear]: 1 })).total.amount, Number.MAX_SAFE_INTEGER)
  refused(t, await shop.take(saleId, { [dear]: 2 }), 'invalid_request')
  const { cartId } = await shop.cart(saleId, { A: 1 })
  refused(t, await shop.set(cartId, dear, 1), 'invalid_request')
  refused(t, await shop.take(saleId, { [dear]: 1, A: 1 }), 'invalid_request')
})

void tap.test('a quantity of 10^9 is the largest', async (t) => {
  const much = newId('sku')
  await shop.putItem(much, 1_000_000_000)
  const saleId = await shop.publish({ items: { [much]: { allocation: 1_000_000_000, price: usd(1) } } })
  t.equal((await shop.cart(saleId, { [much]: 1_000_000_000 })).items[0]!.stock?.available, 0)
  refused(t, await shop.take(saleId, { [much]: 1_000_000_001 }), 'invalid_request')
  const twice = [{ sku: much, quantity: 1_000_000_000 }, { sku: much, quantity: 1_000_000_000 }]
  refused(t, await shop.call('POST', `/v1/sales/${saleId}/carts`, { body: { items: twice } }), 'invalid_request')
})
