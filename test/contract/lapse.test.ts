import tap from 'tap'
import { dump } from '../redis.js'
import { refused } from './refused.js'
import { openShop, timeAt } from './shop.js'

const shop = await openShop(tap)
const hour = 3_600

const stockOf = async (saleId: string, sku = 'A') => (await shop.item(saleId, sku)).stock

void tap.test('a hold lapses to the millisecond, and its units are there for the very next request', async (t) => {
  const saleId = await shop.publish({ items: { A: 10 }, holdSeconds: 60 })
  await shop.at(saleId, 0)
  const { cartId } = await shop.cart(saleId, { A: 10 })
  await shop.at(saleId, 59.999)
  t.equal((await shop.look(cartId)).status, 200)
  refused(t, await shop.take(saleId, { A: 1 }), 'insufficient_stock')
  await shop.at(saleId, 60)
  const before = await dump(shop.redis)
  t.strictSame(await stockOf(saleId), { quantity: 10, available: 10, inCarts: 0 }, 'a look counts it as gone')
  refused(t, await shop.look(cartId), 'cart_expired')
  t.strictSame(await dump(shop.redis), before, 'and writes nothing')
  t.equal((await shop.cart(saleId, { A: 10 })).items[0]!.stock?.available, 0)
})

void tap.test('what lapses is available at once, however much lapsed together', async (t) => {
  const saleId = await shop.publish({ items: { A: 1_000 } })
  await shop.at(saleId, 0)
  await Promise.all(Array.from({ length: 1_000 }, () => shop.cart(saleId, { A: 1 })))
  refused(t, await shop.take(saleId, { A: 1 }), 'insufficient_stock')
  await shop.at(saleId, 600)
  t.strictSame(await stockOf(saleId), { quantity: 1_000, available: 1_000, inCarts: 0 })
  t.equal((await shop.take(saleId, { A: 1_000 })).status, 201)
})

void tap.test('a lapsed cart says so for an hour, then nobody knows it', async (t) => {
  const saleId = await shop.publish()
  await shop.at(saleId, 0)
  const { cartId } = await shop.cart(saleId, { A: 1 })
  const asks = [
    () => shop.look(cartId), () => shop.set(cartId, 'A', 2), () => shop.call('DELETE', `/v1/carts/${cartId}/items/A`),
    () => shop.checkout(cartId), () => shop.call('DELETE', `/v1/carts/${cartId}`),
  ]
  for (const [seconds, code] of [[600, 'cart_expired'], [600 + hour - 1, 'cart_expired'], [600 + hour, 'cart_not_found']] as const) {
    await shop.at(saleId, seconds)
    for (const ask of asks) refused(t, await ask(), code)
    await shop.sweep(saleId)
    for (const ask of asks) refused(t, await ask(), code)
  }
})

void tap.test('growth renews a hold, up to the longest one; nothing else does', async (t) => {
  const saleId = await shop.publish({ items: { A: { allocation: 20, maxPerCart: 9 }, B: 2 }, holdSeconds: 100, maxHoldSeconds: 250 })
  await shop.at(saleId, 0)
  const { cartId, expiresAt } = await shop.cart(saleId, { A: 5 })
  t.equal(expiresAt, timeAt(100))
  const steps: [number, string, number, number][] = [
    [10, 'A', 6, 110], // grows
    [20, 'A', 6, 110], // changes nothing
    [30, 'A', 4, 110], // shrinks
    [40, 'B', 1, 140], // another line is growth
    [50, 'B', 0, 140],
    [130, 'A', 5, 230],
    [200, 'A', 6, 250], // at most 250 after its first unit
    [240, 'A', 7, 250],
  ]
  for (const [seconds, sku, quantity, lapses] of steps) {
    await shop.at(saleId, seconds)
    t.equal((await shop.set(cartId, sku, quantity)).body.expiresAt, timeAt(lapses), `${sku} set to ${quantity} after ${seconds} s`)
  }
  await shop.at(saleId, 245)
  refused(t, await shop.set(cartId, 'A', 10), 'limit_exceeded')
  refused(t, await shop.set(cartId, 'B', 3), 'insufficient_stock')
  t.equal((await shop.look(cartId)).body.expiresAt, timeAt(250), 'what fails renews nothing')
  await shop.at(saleId, 250)
  refused(t, await shop.look(cartId), 'cart_expired')
})

void tap.test('a request that fails does not renew a young hold either', async (t) => {
  const saleId = await shop.publish({ items: { A: { maxPerCart: 2 }, B: 1 }, holdSeconds: 100 })
  await shop.at(saleId, 0)
  const { cartId } = await shop.cart(saleId, { A: 1 })
  await shop.at(saleId, 50)
  refused(t, await shop.set(cartId, 'A', 3), 'limit_exceeded')
  refused(t, await shop.set(cartId, 'B', 2), 'insufficient_stock')
  refused(t, await shop.set(cartId, 'nothing', 1), 'item_not_found')
  t.equal((await shop.look(cartId)).body.expiresAt, timeAt(100))
})

void tap.test('an empty cart lapses as one that holds, and its first unit starts its time', async (t) => {
  const saleId = await shop.publish({ holdSeconds: 100, maxHoldSeconds: 120 })
  await shop.at(saleId, 0)
  const [left, filled] = [await shop.cart(saleId), await shop.cart(saleId)]
  t.equal(left.expiresAt, timeAt(100))
  await shop.at(saleId, 90)
  t.equal((await shop.set(filled.cartId, 'A', 1)).body.expiresAt, timeAt(190))
  await shop.at(saleId, 100)
  refused(t, await shop.set(left.cartId, 'A', 1), 'cart_expired')
  t.equal((await shop.set(filled.cartId, 'A', 2)).body.expiresAt, timeAt(200))
  await shop.at(saleId, 195)
  t.equal((await shop.set(filled.cartId, 'A', 3)).body.expiresAt, timeAt(210), 'the longest hold counts from the first unit')
})

void tap.test('an interest lapses as a hold does', async (t) => {
  const saleId = await shop.publish({ holdAt: 'checkout', holdSeconds: 100, maxHoldSeconds: 150 })
  await shop.at(saleId, 0)
  const { cartId } = await shop.cart(saleId, { A: 4 })
  await shop.at(saleId, 90)
  t.equal((await shop.set(cartId, 'A', 5)).body.expiresAt, timeAt(150))
  await shop.at(saleId, 150)
  t.strictSame(await stockOf(saleId), { quantity: 10, available: 10, inCarts: 0 })
  refused(t, await shop.checkout(cartId), 'cart_expired')
})

void tap.test('an order that nobody pays lapses when it is due, and stays readable for 72 hours', async (t) => {
  const saleId = await shop.publish({ paymentSeconds: 300 })
  await shop.at(saleId, 0)
  const { orderId, cartId, payBy, createdAt } = await shop.order(saleId, { A: 4 })
  t.strictSame({ createdAt, payBy }, { createdAt: timeAt(0), payBy: timeAt(300) })
  await shop.at(saleId, 299.999)
  t.equal((await shop.read(orderId)).status, 'awaiting_payment')
  await shop.at(saleId, 300)
  t.strictSame(await stockOf(saleId), { quantity: 10, available: 10, inCarts: 0 })
  const { status, payBy: none, payment } = await shop.read(orderId)
  t.strictSame({ status, none, payment }, { status: 'expired', none: null, payment: null })
  refused(t, await shop.pay(orderId), 'order_expired')
  refused(t, await shop.cancel(orderId), 'order_expired')
  const again = await shop.checkout(cartId)
  t.match(again, { status: 200, body: { orderId, status: 'expired' } }, 'checkout again tells what became of it')
  await shop.at(saleId, 300 + 72 * hour - 1)
  await shop.sweep(saleId)
  t.equal((await shop.read(orderId)).status, 'expired')
  await shop.at(saleId, 300 + 72 * hour)
  await shop.sweep(saleId)
  refused(t, await shop.call('GET', `/v1/orders/${orderId}`), 'order_not_found')
  refused(t, await shop.pay(orderId), 'order_not_found')
  refused(t, await shop.cancel(orderId), 'order_not_found')
})

void tap.test('a cancelled order gives its units back, twice is as good as once, and stays readable for 72 hours', async (t) => {
  const saleId = await shop.publish()
  await shop.at(saleId, 0)
  const { orderId } = await shop.order(saleId, { A: 4 })
  for (let time = 1; time <= 2; time += 1) {
    const { status, text } = await shop.cancel(orderId)
    t.strictSame({ status, text }, { status: 204, text: '' })
    t.strictSame(await stockOf(saleId), { quantity: 10, available: 10, inCarts: 0 })
  }
  const { status, payBy } = await shop.read(orderId)
  t.strictSame({ status, payBy }, { status: 'cancelled', payBy: null })
  refused(t, await shop.pay(orderId), 'order_cancelled')
  await shop.at(saleId, 72 * hour - 1)
  await shop.sweep(saleId)
  t.equal((await shop.read(orderId)).status, 'cancelled')
  t.equal((await shop.cancel(orderId)).status, 204)
  await shop.at(saleId, 72 * hour)
  await shop.sweep(saleId)
  refused(t, await shop.call('GET', `/v1/orders/${orderId}`), 'order_not_found')
})

void tap.test('checkout gives its own time to pay, whatever was left of the hold', async (t) => {
  const saleId = await shop.publish({ holdSeconds: 100, paymentSeconds: 400 })
  await shop.at(saleId, 0)
  const { cartId } = await shop.cart(saleId, { A: 1 })
  await shop.at(saleId, 99)
  t.equal((await shop.checkout(cartId)).body.payBy, timeAt(499))
})

void tap.test('a pending payment holds the units for the pending time at most', async (t) => {
  const saleId = await shop.publish({ items: { A: 1 }, paymentSeconds: 100, pendingSeconds: 300 })
  await shop.at(saleId, 0)
  const { orderId } = await shop.pending(saleId)
  await shop.at(saleId, 299.999)
  t.equal((await shop.read(orderId)).status, 'payment_pending')
  refused(t, await shop.take(saleId, { A: 1 }), 'insufficient_stock')
  await shop.at(saleId, 300)
  t.equal((await shop.take(saleId, { A: 1 })).status, 201)
  t.equal((await shop.read(orderId)).status, 'expired')
})

void tap.test('where nothing is said, a pending payment gives its units up after 900 seconds', async (t) => {
  const saleId = await shop.publish({ items: { A: 1 } })
  await shop.at(saleId, 0)
  const { orderId } = await shop.pending(saleId)
  await shop.at(saleId, 899.999)
  refused(t, await shop.take(saleId, { A: 1 }), 'insufficient_stock', {
    items: [{ sku: 'A', requested: 1, stock: { quantity: 1, available: 0, inOtherCarts: 1 }, soldOut: false, mayReturnAt: timeAt(900) }],
  })
  t.equal((await shop.read(orderId)).status, 'payment_pending')
  await shop.at(saleId, 900)
  t.strictSame(await stockOf(saleId), { quantity: 1, available: 1, inCarts: 0 })
  t.match(await shop.take(saleId, { A: 1 }), { status: 201, body: { items: [{ quantity: 1 }] } })
  t.equal((await shop.read(orderId)).status, 'expired')
})
