import tap from 'tap'
import { dump } from '../redis.js'
import { invalid, refused } from './refused.js'
import { customer, openShop, timeAt, usd } from './shop.js'

const shop = await openShop(tap)

void tap.test('an order tells everything about itself', async (t) => {
  const saleId = await shop.publish({ items: { A: 10, B: { price: usd(1_999) } } })
  await shop.at(saleId, 0)
  const { cartId } = await shop.cart(saleId, { A: 2, B: 6 })
  await shop.at(saleId, 5)
  const reply = await shop.checkout(cartId)
  t.equal(reply.status, 201)
  const { orderId } = reply.body
  t.equal(reply.header('location'), `/v1/orders/${orderId}`)
  const order = {
    orderId, saleId, cartId, status: 'awaiting_payment', payBy: timeAt(605), customer,
    items: [
      { sku: 'A', name: 'Item A', quantity: 2, unitPrice: usd(2_500), lineTotal: usd(5_000), stock: { quantity: 10, available: 8, inOtherCarts: 0 }, lowStock: false, mayReturnAt: null },
      { sku: 'B', name: 'Item B', quantity: 6, unitPrice: usd(1_999), lineTotal: usd(11_994), stock: { quantity: 10, available: 4, inOtherCarts: 0 }, lowStock: true, mayReturnAt: null },
    ],
    total: usd(16_994), payment: null, persisted: false, createdAt: timeAt(5),
  }
  t.strictSame(reply.body, order)
  t.strictSame(await shop.read(orderId), order)
  t.match(orderId, /^[A-Za-z0-9._~-]{22,80}$/)
  t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 10, available: 8, inCarts: 2 }, 'an unpaid order counts as in a cart')
})

void tap.test('checkout repeated answers with the same order, whoever asks', async (t) => {
  const saleId = await shop.publish()
  const { cartId } = await shop.cart(saleId, { A: 2 })
  const first = await shop.checkout(cartId)
  const again = await shop.checkout(cartId, { ...customer, name: 'Somebody else' })
  t.equal(again.status, 200)
  t.strictSame(again.body, first.body)
  t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 10, available: 8, inCarts: 2 })
})

void tap.test('twenty checkouts at once make one order', async (t) => {
  const saleId = await shop.publish()
  const { cartId } = await shop.cart(saleId, { A: 2 })
  const replies = await Promise.all(Array.from({ length: 20 }, () => shop.checkout(cartId)))
  t.equal(new Set(replies.map(({ body }) => body.orderId)).size, 1)
  t.strictSame(replies.map(({ status }) => status).toSorted((a, b) => a - b), [...Array<number>(19).fill(200), 201])
})

void tap.test('an empty cart cannot be checked out', async (t) => {
  const saleId = await shop.publish()
  const { cartId } = await shop.cart(saleId)
  refused(t, await shop.checkout(cartId), 'cart_empty')
  await shop.set(cartId, 'A', 1)
  await shop.set(cartId, 'A', 0)
  refused(t, await shop.checkout(cartId), 'cart_empty')
})

void tap.test('prices are frozen with the order, and names are as published', async (t) => {
  const saleId = await shop.publish()
  const order = await shop.order(saleId)
  await shop.operator('PUT', '/items/A', { name: 'Dearer', price: usd(9_999) })
  t.strictSame(await shop.read(order.orderId), order)
  t.match(await shop.item(saleId, 'A'), { name: 'Item A', price: usd(2_500) })
  await shop.putItem('A', undefined, usd(2_500))
})

void tap.test('a customer’s strings are trimmed, and what is left out stays out', async (t) => {
  const saleId = await shop.publish()
  const { cartId } = await shop.cart(saleId, { A: 1 })
  const { address } = customer
  const padded = { name: '  Zoë\t', email: ' a@b ', address: { line1: ` ${address.line1} `, city: '\u00a0Köln ', postalCode: ' 1 ', country: ' DE ' } }
  t.strictSame((await shop.checkout(cartId, padded)).body.customer, {
    name: 'Zoë', email: 'a@b', address: { line1: address.line1, city: 'Köln', postalCode: '1', country: 'DE' },
  })
})

void tap.test('a customer’s strings have up to 200 characters', async (t) => {
  const saleId = await shop.publish()
  const long = '𝒳'.repeat(200)
  const who = { ...customer, name: long, email: `${'e'.repeat(196)}@b.c`, address: { ...customer.address, city: ` ${'c'.repeat(200)} ` } }
  const { status, body } = await shop.checkout((await shop.cart(saleId, { A: 1 })).cartId, who)
  t.equal(status, 201)
  t.equal(body.customer.name, long)
})

void tap.test('a customer who cannot be one is refused, and nothing changes', async (t) => {
  const saleId = await shop.publish()
  const { cartId } = await shop.cart(saleId, { A: 1 })
  const { name: _, ...nameless } = customer
  const { address: __, ...homeless } = customer
  const living = (change: object) => ({ ...customer, address: { ...customer.address, ...change } })
  const cases: [string, unknown, string?][] = [
    ['null', null],
    ['text', 'Zoë'],
    ['a list', [customer]],
    ['no name', nameless, '/customer/name'],
    ['no address', homeless, '/customer/address'],
    ['an unknown field', { ...customer, vip: true }, '/customer/vip'],
    ['an unknown field of the address', living({ planet: 'Earth' }), '/customer/address/planet'],
    ['an empty name', { ...customer, name: '' }, '/customer/name'],
    ['a name of spaces', { ...customer, name: ' \t ' }, '/customer/name'],
    ['a name of 201 characters', { ...customer, name: 'n'.repeat(201) }, '/customer/name'],
    ['a name that is a number', { ...customer, name: 3 }, '/customer/name'],
    ['a name that is null', { ...customer, name: null }, '/customer/name'],
    ['an email without @', { ...customer, email: 'zoe.example.com' }, '/customer/email'],
    ['an email with two @', { ...customer, email: 'zoe@home@example.com' }, '/customer/email'],
    ['an email that begins with @', { ...customer, email: '@example.com' }, '/customer/email'],
    ['an email that ends with @', { ...customer, email: 'zoe@ ' }, '/customer/email'],
    ['an empty phone', { ...customer, phone: ' ' }, '/customer/phone'],
    ['an empty second line', living({ line2: '' }), '/customer/address/line2'],
    ['an empty region', living({ region: ' ' }), '/customer/address/region'],
    ['a country in small letters', living({ country: 'de' }), '/customer/address/country'],
    ['a country of three letters', living({ country: 'DEU' }), '/customer/address/country'],
    ['a country of other letters', living({ country: 'ÄÖ' }), '/customer/address/country'],
    ['a lone surrogate', { ...customer, name: 'Zo\ud800' }, '/customer/name'],
    ['a lone low surrogate', living({ city: '\udfffK' }), '/customer/address/city'],
    ['a NUL', { ...customer, name: 'Zo\u0000' }, '/customer/name'],
    ['a line break', living({ line1: 'a\r\nb' }), '/customer/address/line1'],
  ]
  const before = await dump(shop.redis)
  invalid(t, await shop.call('POST', `/v1/carts/${cartId}/checkout`), '')
  invalid(t, await shop.call('POST', `/v1/carts/${cartId}/checkout`, { body: {} }), '/customer')
  for (const [what, who, path] of cases) {
    await t.test(what, async (inner) => invalid(inner, await shop.checkout(cartId, who), ...(path === undefined ? [] : [path])))
  }
  t.strictSame(await dump(shop.redis), before)
  t.equal((await shop.checkout(cartId)).status, 201)
})
