import tap from 'tap'
import { formatId, newLocalId } from '../../src/ids.js'
import { refundKey } from '../../src/keys.js'
import { assertWhole } from '../redis.js'
import { runOn } from '../postgres.js'
import { refused } from './refused.js'
import { newId, openShop } from './shop.js'

const shop = await openShop(tap)
const hour = 3_600

interface PaymentRow { status: string; refund_reason: string | null; amount: string; currency: string }
const paymentRow = async (paymentId: string) =>
  (await runOn<PaymentRow>(shop.databaseUrl, 'select status, refund_reason, amount, currency from payments where payment_id = $1', [paymentId]))[0]
const given = (paymentId: string) => shop.redis.get(refundKey(paymentId))

/** Lets Redis forget what Postgres has. */
async function forget(saleId: string): Promise<void> {
  await shop.later(saleId, hour + 1)
  await shop.sweep(saleId)
}
const inRedis = (orderId: string, saleId: string) => shop.redis.hexists(`fs:{${saleId}.0}:orders`, orderId.slice(-22))

/** A sale of one item that no other sale has. */
async function ownSale(allocation = 10): Promise<{ saleId: string; sku: string }> {
  const sku = newId('sku')
  await shop.putItem(sku, 100)
  return { sku, saleId: await shop.publish({ items: { [sku]: allocation } }) }
}

void tap.test('a paid order says when Postgres has it, and the store’s stock follows', async (t) => {
  const { saleId, sku } = await ownSale()
  const paid = await shop.paid(saleId, { [sku]: 3 })
  t.equal(paid.persisted, false)
  t.equal((await shop.stored(sku)).quantity, 100)
  t.equal(await shop.drain(saleId), 1)
  t.strictSame(await shop.read(paid.orderId), { ...paid, persisted: true })
  t.equal((await shop.stored(sku)).quantity, 97)
  t.match(await paymentRow(paid.payment!.paymentId), { status: 'succeeded', refund_reason: null, amount: '7500', currency: 'USD' })
  t.equal(await shop.drain(saleId), 0)
})

void tap.test('orders that are not paid never reach Postgres', async (t) => {
  const { saleId, sku } = await ownSale()
  const orders = [await shop.order(saleId, { [sku]: 1 }), await shop.pending(saleId, { [sku]: 1 })]
  await shop.cancel((await shop.order(saleId, { [sku]: 1 })).orderId)
  t.equal(await shop.drain(saleId), 0)
  t.ok(orders.every(({ persisted }) => !persisted))
  t.equal((await shop.stored(sku)).quantity, 100)
})

void tap.test('a paid order is the same order for good, long after Redis has forgotten it', async (t) => {
  const { saleId, sku } = await ownSale()
  const paid = await shop.paid(saleId, { [sku]: 3 })
  await shop.drain(saleId)
  const remembered = await shop.read(paid.orderId)
  await forget(saleId)
  t.equal(await inRedis(paid.orderId, saleId), 0)
  t.strictSame(await shop.read(paid.orderId), remembered, 'the live stock of its lines included')
  await shop.cart(saleId, { [sku]: 2 })
  t.strictSame((await shop.read(paid.orderId)).items[0]!.stock, { quantity: 7, available: 5, inOtherCarts: 2 })

  const stored = await shop.read(paid.orderId)
  for (const again of [await shop.checkout(paid.cartId), await shop.pay(paid.orderId), await shop.pay(paid.orderId, 'tok_declined')]) {
    t.equal(again.status, 200)
    t.strictSame(again.body, stored)
  }
  refused(t, await shop.look(paid.cartId), 'cart_not_found')
  refused(t, await shop.cancel(paid.orderId), 'order_already_paid')
  t.equal((await shop.stored(sku)).quantity, 97)
})

void tap.test('an order that Postgres does not have yet is never forgotten', async (t) => {
  const { saleId, sku } = await ownSale()
  const paid = await shop.paid(saleId, { [sku]: 1 })
  await shop.later(saleId, 100 * hour)
  await shop.sweep(saleId)
  t.match(await shop.read(paid.orderId), { status: 'paid', persisted: false })
})

void tap.test('a paid order that Postgres refuses stays unpersisted and readable, and its sale open', async (t) => {
  const { saleId, sku } = await ownSale()
  const { orderId } = await shop.order(saleId, { [sku]: 1 })
  const orders = `fs:{${saleId}.0}:orders`
  const record = (await shop.redis.hget(orders, orderId.slice(-22)))!
  await shop.redis.hset(orders, orderId.slice(-22), record.replace('Köln', String.raw`K\u0000ln`))
  t.equal((await shop.pay(orderId)).status, 200)
  await shop.drain(saleId)
  t.match(await runOn(shop.databaseUrl, 'select kind from dead_orders where sale_id = $1', [saleId]), [{ kind: 'paid' }])
  t.match(await shop.read(orderId), { status: 'paid', persisted: false })
  await shop.control(saleId, 'end')
  await forget(saleId)
  t.match(await shop.read(orderId), { status: 'paid', persisted: false }, 'an hour later as well')
  t.ok((await shop.database.unclosedSales()).includes(saleId), 'its unit is not free for another sale')
})

void tap.test('a paid order that has lost its customer is set apart, and holds up no other', async (t) => {
  const { saleId, sku } = await ownSale()
  const [lost, other] = [await shop.order(saleId, { [sku]: 1 }), await shop.order(saleId, { [sku]: 1 })]
  const [orders, local] = [`fs:{${saleId}.0}:orders`, lost.orderId.slice(-22)]
  const record = (await shop.redis.hget(orders, local))!
  await shop.redis.hset(orders, local, `${record.slice(0, record.lastIndexOf('\n'))}\nnull`)
  await shop.engine.settlePayment({ paymentId: newId('pay'), orderId: lost.orderId, amount: 2_500, currency: 'USD' }, 'succeeded')
  t.equal((await shop.pay(other.orderId)).status, 200)
  await shop.drain(saleId)
  t.match(await runOn(shop.databaseUrl, 'select kind, sqlstate, reason from dead_orders where sale_id = $1', [saleId]), [{ kind: 'paid', sqlstate: null, reason: /no customer/ }])
  t.match(await shop.read(other.orderId), { status: 'paid', persisted: true })
})

void tap.test('money that is due back is given back, and the order ends refunded', async (t) => {
  const { saleId, sku } = await ownSale(1)
  const { orderId, payment, ...order } = await shop.pending(saleId, { [sku]: 1 })
  const { paymentId } = payment!
  await shop.event({ orderId, paymentId, amount: 2_400 })
  t.match(await shop.read(orderId), { status: 'refund_due', persisted: false })
  t.equal(await given(paymentId), null)
  t.equal(await shop.drain(saleId), 1)
  t.equal(await given(paymentId), '2400 USD amount_mismatch', 'what was taken, not what was due')
  const refundedOrder = await shop.read(orderId)
  t.match(refundedOrder, { status: 'refunded', persisted: true, payBy: null, total: order.total, payment: { paymentId } })
  t.match(await paymentRow(paymentId), { status: 'refunded', refund_reason: 'amount_mismatch', amount: '2400', currency: 'USD' })
  t.equal((await shop.stored(sku)).quantity, 100, 'nothing was sold')
  refused(t, await shop.pay(orderId), 'order_expired')

  await forget(saleId)
  t.equal(await inRedis(orderId, saleId), 0)
  t.match(await shop.read(orderId), { orderId, status: 'refunded', persisted: true, payBy: null, total: order.total, customer: order.customer, items: [{ sku, quantity: 1 }] })
  refused(t, await shop.pay(orderId), 'order_expired')
  t.match(await shop.checkout(order.cartId), { status: 200, body: { orderId, status: 'refunded' } })
})

for (const [what, reason, end] of [
  ['lapsed, its units gone', 'lapsed', async (saleId: string, _orderId: string, sku: string) => {
    await shop.later(saleId, 601)
    await shop.cart(saleId, { [sku]: 1 })
  }],
  ['was cancelled', 'cancelled', async (_saleId: string, orderId: string) => void (await shop.cancel(orderId))],
] as const) {
  void tap.test(`money for an order that ${what} goes back`, async (t) => {
    const { saleId, sku } = await ownSale(1)
    const { orderId } = await shop.order(saleId, { [sku]: 1 })
    await end(saleId, orderId, sku)
    const paymentId = newId('pay')
    for (let time = 1; time <= 2; time += 1) t.equal((await shop.event({ orderId, paymentId })).status, 200)
    t.equal(await shop.drain(saleId), 1, 'once')
    t.equal((await shop.read(orderId)).status, 'refunded')
    t.equal(await given(paymentId), `2500 USD ${reason}`)
    t.match(await paymentRow(paymentId), { status: 'refunded', refund_reason: reason })

    const ended = async () => [(await shop.cancel(orderId)).status, (await shop.pay(orderId)).text]
    const before = await ended()
    await forget(saleId)
    t.equal(await inRedis(orderId, saleId), 0)
    t.strictSame(await ended(), before, 'what it was is not forgotten')
  })
}

void tap.test('one payment counts for one order, whatever sales it is told of', async (t) => {
  const first = await ownSale()
  const second = await ownSale()
  const orders = [await shop.order(first.saleId, { [first.sku]: 1 }), await shop.order(second.saleId, { [second.sku]: 1 })] as const
  const paymentId = 'page/{1}'
  for (const { orderId } of orders) t.equal((await shop.event({ orderId, paymentId })).status, 200)
  t.equal((await shop.read(orders[0].orderId)).status, 'paid')
  t.equal((await shop.read(orders[1].orderId)).status, 'awaiting_payment')

  const other = await shop.pending(first.saleId, { [first.sku]: 1 })
  t.equal((await shop.event({ orderId: orders[1].orderId, paymentId: other.payment!.paymentId })).status, 200)
  t.equal((await shop.read(orders[1].orderId)).status, 'awaiting_payment', 'an attempt of another sale’s order is none of this one’s')
})

void tap.test('money that went back for an order that nobody knows does not pay another one', async (t) => {
  const { saleId, sku } = await ownSale()
  const { orderId } = await shop.order(saleId, { [sku]: 1 })
  const paymentId = newId('page')
  await shop.event({ orderId: 'garbled', paymentId })
  await shop.event({ orderId, paymentId })
  t.equal((await shop.read(orderId)).status, 'awaiting_payment')
  await shop.drain()
  t.equal(await given(paymentId), '2500 USD unknown_order')
})

void tap.test('a second success on a paid order goes back, and the order stays paid', async (t) => {
  const { saleId, sku } = await ownSale()
  const pending = await shop.pending(saleId, { [sku]: 1 })
  const foreign = newId('pay')
  await shop.event({ orderId: pending.orderId, paymentId: foreign })
  const paid = await shop.read(pending.orderId)
  t.match(paid, { status: 'paid', payment: { paymentId: foreign } })
  await shop.event({ orderId: pending.orderId, paymentId: pending.payment!.paymentId })
  t.strictSame(await shop.read(pending.orderId), paid)
  t.equal(await shop.drain(saleId), 2)
  t.strictSame(await shop.read(pending.orderId), { ...paid, persisted: true })
  t.equal(await given(pending.payment!.paymentId), '2500 USD duplicate')
  t.equal(await given(foreign), null)
  t.equal((await shop.stored(sku)).quantity, 99)

  await forget(saleId)
  const third = newId('pay')
  for (const paymentId of [third, foreign]) t.equal((await shop.event({ orderId: pending.orderId, paymentId })).status, 200)
  await shop.drain(saleId)
  t.equal(await given(third), '2500 USD unknown_order', 'also when only Postgres remembers the order')
  t.equal(await given(foreign), null, 'while the money that paid it stays')
  t.match(await shop.read(pending.orderId), { status: 'paid', payment: { paymentId: foreign } })
})

void tap.test('money for an order that nobody knows is recorded and goes back', async (t) => {
  const { saleId } = await ownSale()
  const id = (sale: string, epoch = 1) => formatId('o', { saleId: sale, shard: 0 }, epoch, newLocalId())
  for (const orderId of [id(saleId), id(saleId, 3), id('nobody'), 'order/of{another}system']) {
    const paymentId = newId('pay')
    await shop.event({ orderId, paymentId, amount: 77, currency: 'EUR' })
    await shop.event({ orderId, paymentId, amount: 77, currency: 'EUR' })
    t.equal((await shop.drain(saleId)) + (await shop.drain()), 1, orderId)
    t.equal(await given(paymentId), '77 EUR unknown_order')
    t.match(await paymentRow(paymentId), { status: 'refunded', refund_reason: 'unknown_order', amount: '77', currency: 'EUR' })
  }
})

void tap.test('a sale is closed when it has ended and nothing is held, pending or unpersisted', async (t) => {
  const { saleId, sku } = await ownSale(5)
  const paid = await shop.paid(saleId, { [sku]: 1 })
  const lapsed = await shop.order(saleId, { [sku]: 1 })
  await shop.sweep(saleId)
  await shop.control(saleId, 'end')
  const stock = async () => (await shop.read(paid.orderId)).items[0]!.stock
  await shop.sweep(saleId)
  t.ok(await stock(), 'an order is unpaid')
  await shop.later(saleId, 601)
  await shop.sweep(saleId)
  t.ok(await stock(), 'an order is not persisted')
  await shop.drain(saleId)
  await shop.sweep(saleId)
  for (const { orderId } of [paid, lapsed]) {
    const { items: [line] } = await shop.read(orderId)
    t.match(line, { sku, stock: null, lowStock: false, mayReturnAt: null })
  }
  t.equal((await shop.sale(saleId)).status, 'ended')
  refused(t, await shop.take(saleId, { [sku]: 1 }), 'sale_ended')

  const paymentId = newId('pay')
  await shop.event({ orderId: lapsed.orderId, paymentId })
  t.equal((await shop.read(lapsed.orderId)).status, 'refund_due', 'its units are the store’s again')
  await shop.drain(saleId)
  t.equal((await shop.read(lapsed.orderId)).status, 'refunded')
  t.equal(await given(paymentId), '2500 USD closed')

  await forget(saleId)
  t.match((await shop.read(paid.orderId)).items, [{ sku, stock: null, lowStock: false, mayReturnAt: null }], 'from Postgres as well')
  await assertWhole(t, shop.redis, saleId)
})
