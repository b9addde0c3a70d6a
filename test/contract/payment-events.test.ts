import tap from 'tap'
import { formatId, newLocalId } from '../../src/ids.js'
import { signBody } from '../../src/payments/webhook.js'
import { assertWhole, dump } from '../redis.js'
import { invalid, refused } from './refused.js'
import { newId, openShop, secrets, usd } from './shop.js'

const shop = await openShop(tap)
const nowSeconds = () => Math.floor(Date.now() / 1_000)
const received = { status: 200, body: { received: true } }

void tap.test('an event that nobody with a secret signed just now is refused, and nothing changes', async (t) => {
  const { orderId, payment } = await shop.pending(await shop.publish())
  const event = { orderId, paymentId: payment!.paymentId }
  const before = await dump(shop.redis)
  const body = 'not what is sent'
  const cases: [string, Parameters<typeof shop.event>[1]][] = [
    ['no signature', { header: null }],
    ['an empty one', { header: '' }],
    ['another secret', { secret: 'whsec_guess' }],
    ['no secret', { secret: '' }],
    ['all of the list as one secret', { secret: secrets.join(',') }],
    ['another body', { header: signBody(body, secrets[0], nowSeconds()) }],
    ['no time', { header: `v1=${'0'.repeat(64)}` }],
    ['no hash', { header: `t=${nowSeconds()}` }],
    ['not hex', { header: `t=${nowSeconds()},v1=${'z'.repeat(64)}` }],
    ['too short', { header: `t=${nowSeconds()},v1=00` }],
    ['older than 300 s', { atSeconds: nowSeconds() - 302 }],
    ['more than 300 s ahead', { atSeconds: nowSeconds() + 303 }],
  ]
  for (const [what, sign] of cases) {
    await t.test(what, async (inner) => void refused(inner, await shop.event(event, sign), 'unauthorized'))
  }
  t.strictSame(await dump(shop.redis), before)
})

void tap.test('any secret of the list signs, up to 300 seconds off either way', async (t) => {
  const saleId = await shop.publish()
  for (const sign of [{}, { secret: secrets[1] }, { atSeconds: nowSeconds() - 298 }, { atSeconds: nowSeconds() + 298 }]) {
    const { orderId, payment } = await shop.pending(saleId)
    t.match(await shop.event({ orderId, paymentId: payment!.paymentId }, sign), received)
    t.equal((await shop.read(orderId)).status, 'paid', 'applied before the 200')
  }
})

void tap.test('an event that is none is refused before its signature is looked at', async (t) => {
  const { orderId } = await shop.order(await shop.publish())
  const before = await dump(shop.redis)
  for (const off of [
    { type: 'payment.maybe' }, { type: null }, { amount: -1 }, { amount: 1.5 }, { amount: '2500' }, { amount: 2 ** 53 }, { amount: null },
    { currency: 'usd' }, { currency: 'US' }, { paymentId: '' }, { paymentId: 'with space' }, { paymentId: 'a\nb' }, { paymentId: 7 },
    { orderId: null }, { orderId: '' }, { orderId: 'a b' }, { eventId: '' }, { eventId: undefined }, { paymentId: 'p'.repeat(1_000) },
  ]) {
    invalid(t, await shop.event({ orderId, ...off } as Parameters<typeof shop.event>[0]))
    invalid(t, await shop.event({ orderId, ...off } as Parameters<typeof shop.event>[0], { header: null }))
  }
  t.strictSame(await dump(shop.redis), before)
})

void tap.test('a provider may say more than is known here', async (t) => {
  const { orderId, payment } = await shop.pending(await shop.publish())
  t.match(await shop.event({ orderId, paymentId: payment!.paymentId, livemode: false, created: 1, more: { deep: [null] } }), received)
  t.equal((await shop.read(orderId)).status, 'paid')
})

void tap.test('an event decides a pending payment: succeeded, or failed and payable again', async (t) => {
  const saleId = await shop.publish()
  const won = await shop.pending(saleId)
  t.match(await shop.event({ orderId: won.orderId, paymentId: won.payment!.paymentId }), received)
  t.match(await shop.read(won.orderId), { status: 'paid', payBy: null, payment: { paymentId: won.payment!.paymentId, status: 'succeeded' } })

  const lost = await shop.pending(saleId)
  t.match(await shop.event({ type: 'payment.failed', orderId: lost.orderId, paymentId: lost.payment!.paymentId }), received)
  t.match(await shop.read(lost.orderId), { status: 'awaiting_payment', payBy: lost.payBy, payment: { paymentId: lost.payment!.paymentId, status: 'declined' } })
  t.equal((await shop.pay(lost.orderId)).status, 200)
})

void tap.test('a duplicate is answered as the first, and changes nothing', async (t) => {
  const saleId = await shop.publish()
  const { orderId, payment } = await shop.pending(saleId)
  const event = { eventId: newId('evt'), orderId, paymentId: payment!.paymentId }
  t.match(await shop.event(event), received)
  const before = await dump(shop.redis)
  t.match(await Promise.all([shop.event(event), shop.event(event), shop.event({ ...event, eventId: newId('evt') })]), [received, received, received])
  t.strictSame((await dump(shop.redis))[`fs:{${saleId}.0}:outbox`], before[`fs:{${saleId}.0}:outbox`])
  t.equal((await shop.read(orderId)).status, 'paid')
})

void tap.test('a failure that comes late never undoes a success', async (t) => {
  const { orderId, payment } = await shop.pending(await shop.publish())
  const event = { orderId, paymentId: payment!.paymentId }
  await shop.event(event)
  const paid = await shop.read(orderId)
  t.match(await shop.event({ ...event, type: 'payment.failed' }), received)
  t.strictSame(await shop.read(orderId), paid)
})

void tap.test('a success that comes after its failure counts', async (t) => {
  const { orderId, payment } = await shop.pending(await shop.publish())
  const event = { orderId, paymentId: payment!.paymentId }
  await shop.event({ ...event, type: 'payment.failed' })
  t.match(await shop.event(event), received)
  t.match(await shop.read(orderId), { status: 'paid', payment: { paymentId: event.paymentId } })
})

void tap.test('a failure of another attempt does not touch the one in progress', async (t) => {
  const saleId = await shop.publish()
  const { orderId } = await shop.order(saleId)
  refused(t, await shop.pay(orderId, 'tok_declined'), 'payment_declined')
  const first = (await shop.read(orderId)).payment!.paymentId
  const pending = (await shop.pay(orderId, 'tok_pending')).body
  for (const paymentId of [first, newId('foreign')]) {
    t.match(await shop.event({ type: 'payment.failed', orderId, paymentId }), received)
    t.strictSame(await shop.read(orderId), pending)
  }
})

void tap.test('a payment that did not start here counts as an attempt of its own', async (t) => {
  const saleId = await shop.publish()
  const { orderId } = await shop.order(saleId)
  t.match(await shop.event({ type: 'payment.failed', orderId, paymentId: 'ch_1' }), received)
  t.match(await shop.read(orderId), { status: 'awaiting_payment' })
  t.match(await shop.event({ orderId, paymentId: 'ch_2/{x}:e' }), received)
  t.match(await shop.read(orderId), { status: 'paid', payment: { paymentId: 'ch_2/{x}:e', status: 'succeeded' } })
  await assertWhole(t, shop.redis, saleId)
})

void tap.test('money that comes after the order lapsed takes the units again while they are there', async (t) => {
  const saleId = await shop.publish({ items: { A: 1 } })
  const { orderId } = await shop.order(saleId)
  await shop.later(saleId, 601)
  t.equal((await shop.read(orderId)).status, 'expired')
  t.match(await shop.event({ orderId }), received)
  t.match(await shop.read(orderId), { status: 'paid', payBy: null, payment: { status: 'succeeded' } })
  t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 0, available: 0, inCarts: 0 })
  await assertWhole(t, shop.redis, saleId)
})

void tap.test('money that comes when the units are gone is due back', async (t) => {
  const saleId = await shop.publish({ items: { A: 2, B: 2 } })
  const { orderId } = await shop.order(saleId, { A: 1, B: 1 })
  await shop.later(saleId, 601)
  await shop.cart(saleId, { A: 2 })
  t.match(await shop.event({ orderId, amount: 5_000 }), received)
  t.match(await shop.read(orderId), { status: 'refund_due', payBy: null, payment: { status: 'succeeded' } })
  t.strictSame((await shop.item(saleId, 'B')).stock, { quantity: 2, available: 2, inCarts: 0 }, 'all of its lines or none')
  refused(t, await shop.pay(orderId), 'order_expired')
  refused(t, await shop.cancel(orderId), 'order_expired')
  await assertWhole(t, shop.redis, saleId)
})

void tap.test('money for a cancelled order is due back, even while the units are there', async (t) => {
  const saleId = await shop.publish()
  const { orderId } = await shop.order(saleId)
  await shop.cancel(orderId)
  t.match(await shop.event({ orderId }), received)
  t.equal((await shop.read(orderId)).status, 'refund_due')
  refused(t, await shop.pay(orderId), 'order_cancelled')
  t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 10, available: 10, inCarts: 0 })
})

for (const [what, off] of [['too little', { amount: 2_499 }], ['too much', { amount: 2_501 }], ['another currency', { currency: 'EUR' }]] as const) {
  void tap.test(`${what} is due back, and the units are free`, async (t) => {
    const saleId = await shop.publish()
    const { orderId, payment } = await shop.pending(saleId)
    t.match(await shop.event({ orderId, paymentId: payment!.paymentId, ...off }), received)
    t.match(await shop.read(orderId), { status: 'refund_due', total: usd(2_500) })
    t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 10, available: 10, inCarts: 0 })
    await assertWhole(t, shop.redis, saleId)
  })
}

void tap.test('an event for an order that nobody knows is received', async (t) => {
  const saleId = await shop.publish()
  const id = (sale: string, epoch = 1) => formatId('o', { saleId: sale, shard: 0 }, epoch, newLocalId())
  for (const orderId of [id(saleId), id(saleId, 7), id('nobody'), 'order-of-another-system', `o.{${saleId}}.0.1.x`]) {
    t.match(await shop.event({ orderId }), received)
    t.match(await shop.event({ orderId, type: 'payment.failed' }), received)
  }
})
