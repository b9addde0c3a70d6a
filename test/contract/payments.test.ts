import tap from 'tap'
import { chargeKey } from '../../src/keys.js'
import { dump } from '../redis.js'
import { invalid, refused } from './refused.js'
import { openShop, time, timeAt } from './shop.js'

const shop = await openShop(tap)
const chargeOf = (paymentId: string | undefined) => shop.redis.get(chargeKey(paymentId ?? ''))
const charges = async () => (await shop.redis.keys(chargeKey('*'))).length

void tap.test('a payment that succeeds makes the order paid', async (t) => {
  const saleId = await shop.publish()
  await shop.at(saleId, 0)
  const order = await shop.order(saleId, { A: 6 })
  await shop.at(saleId, 7)
  const { status, body } = await shop.pay(order.orderId)
  t.equal(status, 200)
  const { payment, items, ...rest } = body
  t.strictSame(payment, { paymentId: payment?.paymentId, status: 'succeeded', paidAt: timeAt(7) })
  t.match(payment?.paymentId ?? '', /^[A-Za-z0-9._~-]{22,}$/)
  t.strictSame(rest, {
    orderId: order.orderId, saleId, cartId: order.cartId, status: 'paid', payBy: null, customer: order.customer, total: order.total, persisted: false, createdAt: timeAt(0),
  })
  t.strictSame(items, [{ ...order.items[0]!, stock: { quantity: 4, available: 4, inOtherCarts: 0 }, lowStock: true }])
  t.strictSame(await shop.read(order.orderId), body)
  t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 4, available: 4, inCarts: 0 })
  t.match(await chargeOf(payment?.paymentId), /^succeeded /)
})

void tap.test('a paid order is paid once, whatever token comes again', async (t) => {
  const saleId = await shop.publish()
  const paid = await shop.paid(saleId)
  const before = await charges()
  for (const token of ['tok_ok', 'tok_declined', 'tok_pending', 'tok_unreachable']) {
    const { status, body } = await shop.pay(paid.orderId, token)
    t.equal(status, 200)
    t.strictSame(body, paid)
  }
  t.equal(await charges(), before, 'and nothing is charged')
  refused(t, await shop.cancel(paid.orderId), 'order_already_paid')
  refused(t, await shop.look(paid.cartId), 'cart_not_found')
  const again = await shop.checkout(paid.cartId)
  t.equal(again.status, 200)
  t.strictSame(again.body, paid, 'checkout repeated answers with it, the cart gone')
})

void tap.test('twenty payments at once charge once', async (t) => {
  const { orderId } = await shop.order(await shop.publish())
  const before = await charges()
  const replies = await Promise.all(Array.from({ length: 20 }, () => shop.pay(orderId)))
  t.equal(await charges(), before + 1)
  t.ok(replies.some(({ status }) => status === 200))
  for (const reply of replies) if (reply.status !== 200) refused(t, reply, 'payment_in_progress')
})

void tap.test('a token that is none of the sandbox’s is declined, whatever it is called', async (t) => {
  const saleId = await shop.publish()
  const { orderId } = await shop.order(saleId)
  for (const token of ['__proto__', 'constructor', 'toString', 'tok_', 'TOK_OK']) refused(t, await shop.pay(orderId, token), 'payment_declined')
  t.match((await shop.pay(orderId)).body, { status: 'paid' })
})

void tap.test('a declined payment leaves the order payable until it is due', async (t) => {
  const saleId = await shop.publish()
  await shop.at(saleId, 0)
  const order = await shop.order(saleId)
  for (const token of ['tok_declined', 'tok_nobody_knows']) {
    refused(t, await shop.pay(order.orderId, token), 'payment_declined')
    const { payment, ...rest } = await shop.read(order.orderId)
    t.match(payment, { status: 'declined', paidAt: null })
    const { payment: _, ...was } = order
    t.strictSame(rest, was)
  }
  await shop.at(saleId, 599)
  t.match(await shop.pay(order.orderId), { status: 200, body: { status: 'paid', payment: { status: 'succeeded' } } })
})

void tap.test('each attempt has a payment id of its own', async (t) => {
  const { orderId } = await shop.order(await shop.publish())
  const ids = new Set<string | undefined>()
  for (const token of ['tok_declined', 'tok_declined', 'tok_ok']) {
    await shop.pay(orderId, token)
    ids.add((await shop.read(orderId)).payment?.paymentId)
  }
  t.equal(ids.size, 3)
})

void tap.test('a payment that the provider has not decided is pending, and the only one', async (t) => {
  const saleId = await shop.publish({ items: { A: 1 } })
  const { orderId, cartId } = await shop.order(saleId)
  const { status, body } = await shop.pay(orderId, 'tok_pending')
  t.equal(status, 202)
  t.match(body, { status: 'payment_pending', persisted: false, payment: { paymentId: String, status: 'pending', paidAt: null } })
  t.strictSame(await shop.read(orderId), body)
  refused(t, await shop.pay(orderId), 'payment_in_progress')
  refused(t, await shop.cancel(orderId), 'payment_in_progress')
  refused(t, await shop.take(saleId, { A: 1 }), 'insufficient_stock')
  t.match(await shop.checkout(cartId), { status: 200, body: { orderId, status: 'payment_pending' } })
  t.match(await shop.look(cartId), { status: 200, body: { status: 'checked_out', orderId } })
})

void tap.test('a worker that asks about a pending payment changes nothing', async (t) => {
  const saleId = await shop.publish()
  const pending = await shop.pending(saleId)
  await shop.later(saleId, 5)
  const charge = chargeKey(pending.payment!.paymentId)
  await shop.redis.expire(charge, 60)
  t.equal(await shop.askProvider(saleId), 1, 'asked within five seconds')
  t.ok((await shop.redis.ttl(charge)) > 60, 'and the sandbox keeps it for as long as somebody asks')
  t.strictSame(await shop.read(pending.orderId), pending)
  t.equal(await shop.askProvider(saleId), 0)
  await shop.later(saleId, 30)
  t.equal(await shop.askProvider(saleId), 1, 'and then every thirty')
})

void tap.test('a pending payment is given up when its time ends, and its money cannot come any more', async (t) => {
  const saleId = await shop.publish({ items: { A: 1 }, pendingSeconds: 60, paymentSeconds: 30 })
  const { orderId, payment } = await shop.pending(saleId)
  await shop.later(saleId, 59)
  t.equal(await shop.askProvider(saleId), 1)
  t.equal(await chargeOf(payment?.paymentId), 'cancelled')
  t.match(await shop.read(orderId), { status: 'expired', payment: { status: 'declined' } })
  t.equal((await shop.take(saleId, { A: 1 })).status, 201)
})

void tap.test('an attempt that never reached the provider is found out by a worker, and can be made again', async (t) => {
  const saleId = await shop.publish()
  const { orderId } = await shop.order(saleId)
  refused(t, await shop.pay(orderId, 'tok_unreachable'), 'unavailable')
  t.match(await shop.read(orderId), { status: 'payment_pending', payment: { status: 'pending' } })
  refused(t, await shop.pay(orderId), 'payment_in_progress')
  await shop.later(saleId, 5)
  t.equal(await shop.askProvider(saleId), 1)
  t.match(await shop.read(orderId), { status: 'awaiting_payment', payment: null })
  t.match(await shop.pay(orderId), { status: 200, body: { status: 'paid' } })
})

void tap.test('an attempt whose caller died is settled by what the provider knows', async (t) => {
  const saleId = await shop.publish()
  for (const [token, status] of [['tok_ok', 'paid'], ['tok_declined', 'awaiting_payment']] as const) {
    const { orderId } = await shop.order(saleId)
    const begun = await shop.engine.beginPayment(orderId)
    if (!('attempt' in begun)) throw new Error('the payment has not begun')
    await shop.provider.charge(begun.attempt, token)
    t.equal((await shop.read(orderId)).status, 'payment_pending')
    await shop.later(saleId, 5)
    t.equal(await shop.askProvider(saleId), 1)
    t.equal((await shop.read(orderId)).status, status)
  }
})

void tap.test('an attempt found never taken after the order was due leaves it expired', async (t) => {
  const saleId = await shop.publish({ items: { A: 1 }, paymentSeconds: 60 })
  const { orderId } = await shop.order(saleId)
  refused(t, await shop.pay(orderId, 'tok_unreachable'), 'unavailable')
  await shop.later(saleId, 61)
  t.equal((await shop.read(orderId)).status, 'payment_pending', 'until it is known, its units are held')
  t.equal(await shop.askProvider(saleId), 1)
  t.equal((await shop.read(orderId)).status, 'expired')
  refused(t, await shop.pay(orderId), 'order_expired')
  t.equal((await shop.take(saleId, { A: 1 })).status, 201)
})

void tap.test('an order without a price is paid like any other', async (t) => {
  const saleId = await shop.publish({ items: { A: { price: { amount: 0, currency: 'USD' } } } })
  t.match(await shop.paid(saleId), { status: 'paid', total: { amount: 0 }, payment: { status: 'succeeded', paidAt: time } })
})

void tap.test('a payment without a token that could be one changes nothing', async (t) => {
  const { orderId } = await shop.order(await shop.publish())
  const before = await dump(shop.redis)
  for (const body of [undefined, {}, { paymentToken: '' }, { paymentToken: 3 }, { paymentToken: null }, { paymentToken: 'tok ok' }, { paymentToken: 't'.repeat(1_000) }, { paymentToken: 'tok_ok', amount: 1 }, { token: 'tok_ok' }, []]) {
    invalid(t, await shop.call('POST', `/v1/orders/${orderId}/payments`, body === undefined ? {} : { body }))
  }
  t.strictSame(await dump(shop.redis), before)
})

void tap.test('an order that nobody knows is not found, whatever is asked of it', async (t) => {
  const { orderId, cartId } = await shop.order(await shop.publish())
  const other = `${orderId.slice(0, -1)}${orderId.endsWith('A') ? 'B' : 'A'}`
  for (const id of [other, cartId, 'nobody', orderId.slice(0, -1), `${orderId}A`]) {
    refused(t, await shop.call('GET', `/v1/orders/${id}`), 'order_not_found')
    refused(t, await shop.pay(id), 'order_not_found')
    refused(t, await shop.cancel(id), 'order_not_found')
  }
})
