/** When several refusals apply, the first of: 400, 401, 404, state of the sale, cart or order (409, 410), 422, stock (409). */
import tap from 'tap'
import { dump } from '../redis.js'
import { type Code, refused } from './refused.js'
import { newId, openShop, type Reply } from './shop.js'

const shop = await openShop(tap)
type Ask = () => Promise<Reply<unknown>>

const open = await shop.publish({ items: { A: { maxPerCart: 5 }, B: 1 } })
const paused = await shop.publish({ items: { A: { maxPerCart: 5 } } })
const key = newId('key')
await shop.take(open, { A: 1 }, key)
await shop.take(paused, { A: 1 }, key)
const pausedCart = await shop.cart(paused, { A: 1 })
const checkedOut = await shop.cart(open, { A: 1 })
const order = (await shop.checkout(checkedOut.cartId)).body
const paid = await shop.paid(open, { A: 1 })
const emptyAtPaused = await shop.cart(paused)
await shop.control(paused, 'pause')
const cart = await shop.cart(open, { A: 1 })

const take = (saleId: string, body: object, headers = {}): Ask => () => shop.call('POST', `/v1/sales/${saleId}/carts`, { body, headers })
const set = (cartId: string, sku: string, quantity: unknown): Ask => () => shop.set(cartId, sku, quantity)
const admin = (method: 'PUT' | 'POST' | 'GET', url: string, body?: object): Ask => () => shop.call(method, `/v1/admin${url}`, body === undefined ? {} : { body })
const line = (sku: string, quantity: unknown) => ({ items: [{ sku, quantity }] })
const keyed = { 'idempotency-key': key }

const cases: [string, Ask, Code][] = [
  ['a body that is off before a sale that is not there', take('nobody', line('A', 0)), 'invalid_request'],
  ['a header that is off before a sale that is not there', take('nobody', line('A', 1), { 'idempotency-key': '!' }), 'invalid_request'],
  ['a body that is off before a cart that is not there', set('nobody', 'A', -1), 'invalid_request'],
  ['a customer that is off before a cart that is not there', () => shop.checkout('nobody', {}), 'invalid_request'],
  ['a customer of spaces before a cart that is not there', () => shop.checkout('nobody', { name: ' ', email: 'a@b', address: { line1: 'a', city: 'b', postalCode: 'c', country: 'DE' } }), 'invalid_request'],
  ['a body that is off before an order that is paid', () => shop.call('POST', `/v1/orders/${paid.orderId}/payments`, { body: {} }), 'invalid_request'],
  ['a body that is off before credentials', admin('PUT', '/items/A', { name: '' }), 'invalid_request'],
  ['a parameter that is off before credentials', admin('GET', '/items/a%20b'), 'invalid_request'],
  ['holds that cannot be before credentials', admin('POST', '/sales', { saleId: 'x', name: 'x', holdSeconds: 60, maxHoldSeconds: 59, items: [{ sku: 'A', allocation: 1 }] }), 'invalid_request'],
  ['credentials before an item that is not there', admin('GET', '/items/nothing'), 'unauthorized'],
  ['credentials before a sale that is not there', admin('POST', '/sales/nobody/pause'), 'unauthorized'],
  ['credentials before a state that is wrong', admin('POST', `/sales/${paused}/pause`), 'unauthorized'],
  ['credentials before a sale that exists', admin('POST', '/sales', { saleId: open, name: 'x', items: [{ sku: 'A', allocation: 1 }] }), 'unauthorized'],
  ['an item that is not there before a sale that is paused', take(paused, line('nothing', 1)), 'item_not_found'],
  ['an item that is not there before a cart that is checked out', set(checkedOut.cartId, 'nothing', 1), 'item_not_found'],
  ['an item that is not there before a key of another request', take(open, line('nothing', 1), keyed), 'item_not_found'],
  ['a cart that is not there before its item', set('nobody', 'nothing', 1), 'cart_not_found'],
  ['a paused sale before the limit', take(paused, line('A', 6)), 'sale_not_open'],
  ['a paused sale before the stock', take(paused, line('A', 11)), 'sale_not_open'],
  ['a paused sale before a key of another request', take(paused, line('A', 2), keyed), 'sale_not_open'],
  ['a paused sale before the limit of a line', set(pausedCart.cartId, 'A', 6), 'sale_not_open'],
  ['a cart that is checked out before the limit', set(checkedOut.cartId, 'A', 6), 'cart_checked_out'],
  ['a cart that is checked out before the stock', set(checkedOut.cartId, 'B', 2), 'cart_checked_out'],
  ['an empty cart, whatever the sale', () => shop.checkout(emptyAtPaused.cartId), 'cart_empty'],
  ['the limit before the stock', take(open, { items: [{ sku: 'A', quantity: 6 }, { sku: 'B', quantity: 2 }] }), 'limit_exceeded'],
  ['the limit before the stock of the same item', set(cart.cartId, 'A', 20), 'limit_exceeded'],
  ['a key of another request before the stock', take(open, line('B', 2), keyed), 'idempotency_key_reused'],
  ['the stock at the end', take(open, line('B', 2)), 'insufficient_stock'],
  ['a paid order before its cancellation', () => shop.cancel(paid.orderId), 'order_already_paid'],
]

for (const [what, ask, code] of cases) {
  void tap.test(`${what}: ${code}`, async (t) => {
    const before = await dump(shop.redis)
    refused(t, await ask(), code)
    t.strictSame(await dump(shop.redis), before, 'a refusal changes nothing')
  })
}

void tap.test('a refusal has a type and a title of its own, the same every time', async (t) => {
  const problems = await Promise.all(['nobody', 'somebody'].map(async (id) => refused(t, await shop.look(id), 'cart_not_found')))
  t.strictSame(problems[0], problems[1])
  const other = refused(t, await shop.cancel('nobody'), 'order_not_found')
  t.not(other.type, problems[0]!.type)
  t.ok(URL.canParse(other.type), 'a type is a URI')
})

void tap.test('what is nowhere is not found', async (t) => {
  for (const [method, url] of [['GET', '/nothing'], ['GET', '/v1'], ['GET', '/v1/carts'], ['POST', '/v1/carts'], ['GET', '/v2/sales'], ['PUT', '/v1/sales'], ['GET', `/v1/orders/${order.orderId}/payments`], ['GET', '/v1/admin'], ['POST', '/v1/admin/items/A']] as const) {
    refused(t, await shop.call(method, url), 'route_not_found')
  }
})
