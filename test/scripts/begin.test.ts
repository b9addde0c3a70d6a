import tap from 'tap'
import { freshEngine } from '../redis.js'
import { at, openScene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

tap.test('a payment begins: its attempt is in progress, the units stay held while the provider has it', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10 }, paymentSeconds: 600, pendingSeconds: 900 })
  const id = await scene.order('A=2')
  await scene.time(599.999)
  t.equal(await scene.one('begin', `1 ${id} p1`), 'OK 5000')
  t.match(await scene.look(id), {
    id, state: 'payment_pending', paymentId: 'p1', paymentStatus: 'pending', deadline: at(599.999 + 900), payBy: at(600),
  })
  await scene.time(1_499.998)
  t.match(await scene.look(id), { state: 'payment_pending' })
  t.match(await scene.counters('A'), { available: 8, inOrders: 2 })
  await scene.whole(t)
})

tap.test('an attempt names the order, the amount and an id that is new each time', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.order('A=2')
  const first = await engine.beginPayment(scene.orderId(id))
  if (!('begun' in first) || !first.begun) throw new Error('not begun')
  t.match(first.attempt, { orderId: scene.orderId(id), amount: 5_000, currency: 'USD', paymentId: /^p\..{22,}/ })
  await engine.settlePayment(first.attempt, 'declined')
  const second = await engine.beginPayment(scene.orderId(id))
  if (!('begun' in second) || !second.begun) throw new Error('not begun')
  t.not(second.attempt.paymentId, first.attempt.paymentId)
})

tap.test('one attempt at a time', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=2')
  await scene.refuses(t, 'begin', `1 ${id} p2`, 'PAYMENT_IN_PROGRESS')
  const other = await scene.order('A=1')
  const replies = await scene.ask('begin', `1 ${other} p3`, `1 ${other} p4`)
  t.match(replies, [/^OK /, /^PAYMENT_IN_PROGRESS$/])
  t.match(await scene.look(other), { paymentId: 'p3' })
})

tap.test('a paid order is answered with itself and charged no more', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.paid('p1', 'A=2')
  await scene.refuses(t, 'begin', `1 ${id} p2`, /^PAID [^\n]*\npaid /)
  t.match(await engine.beginPayment(scene.orderId(id)), { begun: false, order: { status: 'paid', payment: { paymentId: 'p1', status: 'succeeded', paidAt: String } } })
})

tap.test('an order that lapsed is not payable, not even in the millisecond in which it lapses', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.order('A=2')
  await scene.time(600)
  t.equal(await scene.one('begin', `1 ${id} p1`), 'ORDER_EXPIRED')
  await scene.refuses(t, 'begin', `1 ${id} p1`, 'ORDER_EXPIRED')
  t.match(await scene.counters('A'), { available: 10, inOrders: 0 })
  await scene.whole(t)
})

tap.test('an order that lapsed among a thousand others is not payable before its units are given back', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1_000 }, paymentSeconds: 601 })
  const id = await scene.order('A=1')
  await scene.carts(999, 'A')
  await scene.time(601)
  t.equal(await scene.one('begin', `1 ${id} p1`), 'ORDER_EXPIRED')
  t.match(await engine.createCart(scene.saleId, [{ sku: 'A', quantity: 1_000 }]), { status: 'open' })
  await scene.whole(t)
})

tap.test('a cancelled order is not payable, one that nobody knows is not found', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.order('A=2')
  const cart = await scene.cart('A=1')
  await scene.one('cancel', `1 ${id}`)
  await scene.refuses(t, 'begin', `1 ${id} p1`, 'ORDER_CANCELLED')
  await scene.refuses(t, 'begin', '1 nobody p1', 'ORDER_NOT_FOUND')
  await scene.refuses(t, 'begin', `2 ${id} p1`, 'ORDER_NOT_FOUND')
  await scene.refuses(t, 'begin', `1 ${cart} p1`, 'ORDER_NOT_FOUND')
})

tap.test('who has an order pays it although the sale has paused or ended', async (t) => {
  const scene = await openScene(engine, redis)
  const one = await scene.order('A=1')
  const two = await scene.order('A=1')
  await engine.control(scene.saleId, 'pause')
  t.match(await scene.one('begin', `1 ${one} p1`), /^OK /)
  await engine.control(scene.saleId, 'end')
  t.match(await scene.one('begin', `1 ${two} p2`), /^OK /)
})

tap.test('a malformed request for a payment refuses itself only', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.order('A=1')
  const malformed = ['', '1', `1 ${id}`, `x ${id} p1`, `-1 ${id} p1`, `1e0 ${id} p1`, `1 ${id} p1 p2`]
  const replies = await scene.ask('begin', ...malformed, `1 ${id} p1`)
  for (const [i, request] of malformed.entries()) t.equal(replies[i], 'INVALID', `"${request}"`)
  t.match(replies.at(-1), /^OK /)
})

tap.test('an unpaid order is cancelled, and its units are given back; twice is as good as once', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10, B: 3 } })
  const id = await scene.order('A=2', 'B=3')
  t.strictSame(await scene.ask('cancel', `1 ${id}`, `1 ${id}`), ['OK', 'OK'])
  t.match(await scene.look(id), { state: 'cancelled' })
  t.match(await scene.counters('B'), { available: 3, inOrders: 0 })
  await scene.refuses(t, 'cancel', `1 ${id}`, 'OK')
  await scene.whole(t)
})

tap.test('an order is not cancelled while its payment is in progress, nor when it is paid, lapsed or unknown', async (t) => {
  const scene = await openScene(engine, redis)
  const pending = await scene.pending('p1', 'A=1')
  const paid = await scene.paid('p2', 'A=1')
  const lapsed = await scene.order('A=1')
  await scene.refuses(t, 'cancel', `1 ${pending}`, 'PAYMENT_IN_PROGRESS')
  await scene.refuses(t, 'cancel', `1 ${paid}`, 'ORDER_ALREADY_PAID')
  await scene.refuses(t, 'cancel', '1 nobody', 'ORDER_NOT_FOUND')
  await scene.refuses(t, 'cancel', `2 ${lapsed}`, 'ORDER_NOT_FOUND')
  for (const request of ['', '1', 'x y', '1e0 y', '1 y z']) await scene.refuses(t, 'cancel', request, 'INVALID')
  await scene.settle(pending, 'p1', 'declined')
  t.equal(await scene.one('cancel', `1 ${pending}`), 'OK', 'declined, it can be cancelled')
  await scene.time(600)
  t.equal(await scene.one('cancel', `1 ${lapsed}`), 'ORDER_EXPIRED')
  await scene.refuses(t, 'cancel', `1 ${lapsed}`, 'ORDER_EXPIRED')
  await scene.whole(t)
})

tap.test('an unpaid order can be read for 72 hours after it ended, and is then forgotten', async (t) => {
  const scene = await openScene(engine, redis)
  const cancelled = await scene.order('A=1')
  const lapsed = await scene.order('A=1')
  await scene.one('cancel', `1 ${cancelled}`)
  await scene.time(72 * 3_600 - 0.001)
  await scene.run('sweep')
  await scene.run('sweep')
  t.match(await scene.look(cancelled), { state: 'cancelled' })
  await scene.time(72 * 3_600)
  await scene.run('sweep')
  t.equal(await scene.one('read', `O 1 ${cancelled}`), 'ORDER_NOT_FOUND')
  t.match(await scene.look(lapsed), { state: 'expired' })
  await scene.time(72 * 3_600 + 600)
  await scene.run('sweep')
  t.equal(await scene.one('read', `O 1 ${lapsed}`), 'ORDER_NOT_FOUND')
  t.equal(await scene.one('begin', `1 ${lapsed} p1`), 'ORDER_NOT_FOUND')
  await scene.whole(t)
})
