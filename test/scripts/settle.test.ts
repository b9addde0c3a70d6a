import tap from 'tap'
import { dump, freshEngine } from '../redis.js'
import { at, notWhole, openScene, orderReply, type Scene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

/** @returns what every entry of a sale's outbox says, by name */
async function outbox(scene: Scene): Promise<Record<string, string>[]> {
  const entries = await redis.xrange(scene.key('outbox'), '-', '+')
  return entries.map(([, [kind = '', text = '']]) => {
    const [words = '', counters = '', ...order] = text.split('\n')
    const [local = '', epoch = '', orderId = '', payment = '', amount = '', currency = '', reason = ''] = words.split(' ')
    return { kind, local, epoch, orderId, payment, amount, currency, reason, counters, order: order.join('\n') }
  })
}

tap.test('a payment that succeeds makes the order paid: sold units, no deadline, and one outbox entry with all of it', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10, B: { allocation: 5, unitAmount: 300 } } })
  const id = await scene.pending('p1', 'B=2', 'A=3')
  await scene.time(10)
  t.match(await scene.settle(id, 'p1', 'succeeded'), {
    word: 'OK', state: 'paid', paymentId: 'p1', paymentStatus: 'succeeded', paidAt: at(10), total: 8_100,
    lines: 'B 2 300 3 3 0 A 3 2500 7 7 0',
  })
  t.match(await scene.counters('A'), { available: 7, inCarts: 0, inOrders: 0, sold: 3 })
  t.equal(await redis.zcard(scene.key('deadlines')), 0)
  t.equal(await redis.zcard(scene.key('attempts')), 0, 'and nobody asks about it any more')
  t.match(await outbox(scene), [{
    kind: 'paid', local: id, epoch: '1', orderId: scene.orderId(id), payment: 'p1', amount: '8100', currency: 'USD',
    counters: 'B 5 3 0 2 A 10 7 0 3', order: /^paid /,
  }])
  await scene.whole(t)
})

tap.test('what the outbox holds of a paid order is the whole order', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.paid('p1', 'A=3')
  const [entry] = await engine.entries(scene.shard, '-', '+', 10)
  t.match(entry, {
    kind: 'paid', paidAtMs: at(0), counters: [{ sku: 'A', allocation: 10, available: 7, held: 0, sold: 3 }],
    order: {
      orderId: scene.orderId(id), cartId: scene.cartId(id), saleId: scene.saleId, totalAmount: 7_500, currency: 'USD',
      lines: [{ sku: 'A', quantity: 3, unitAmount: 2_500 }], customer: { name: 'Zoë "Z" O’Neil \\' }, createdAtMs: at(0),
    },
    payment: { paymentId: 'p1', orderId: scene.orderId(id), amount: 7_500, currency: 'USD' },
  })
})

tap.test('the same success told again changes nothing', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=3')
  const replies = await scene.ask('settle', ...Array.from({ length: 3 }, () => scene.settlement(id, 'p1', 'succeeded')))
  t.equal(new Set(replies).size, 1)
  await scene.refuses(t, 'settle', scene.settlement(id, 'p1', 'succeeded'), /^OK /)
  t.equal((await outbox(scene)).length, 1)
  t.match(await scene.counters('A'), { sold: 3 })
  await scene.whole(t)
})

tap.test('a declined payment leaves the order payable until it would have been anyway', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=3')
  await scene.time(500)
  t.match(await scene.settle(id, 'p1', 'declined'), { state: 'awaiting_payment', paymentId: 'p1', paymentStatus: 'declined', deadline: at(600), payBy: at(600) })
  t.equal(await redis.zcard(scene.key('attempts')), 0)
  await scene.refuses(t, 'settle', scene.settlement(id, 'p1', 'declined'), /^OK /)
  await scene.whole(t)
  t.match(await scene.one('begin', `1 ${id} p2`), /^OK /)
  t.match(await scene.settle(id, 'p2', 'succeeded'), { state: 'paid', paymentId: 'p2' })
  await scene.whole(t)
})

tap.test('a payment that the provider never took leaves no trace on the order, which is payable again', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=3')
  t.match(await scene.settle(id, 'p1', 'never_taken'), { state: 'awaiting_payment', paymentId: '-', paymentStatus: '-', deadline: at(600) })
  t.equal(await redis.zcard(scene.key('attempts')), 0)
  t.match(await scene.one('begin', `1 ${id} p2`), /^OK /)
})

tap.test('declined after the order should have been paid, it has lapsed, and its units are there at once', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 3 } })
  for (const outcome of ['declined', 'never_taken']) {
    await scene.time(0)
    const id = await scene.pending(outcome, 'A=3')
    await scene.time(599.999)
    t.match(await scene.settle(id, outcome, 'pending'), { state: 'payment_pending' })
    await scene.time(600)
    t.match(await scene.settle(id, outcome, outcome), { state: 'expired' })
    t.match(await scene.counters('A'), { available: 3, inOrders: 0 })
    t.equal(await scene.one('begin', `1 ${id} again`), 'ORDER_EXPIRED')
    await scene.whole(t)
  }
})

tap.test('a payment that is still pending changes nothing, and goes on being asked about', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=3')
  await scene.refuses(t, 'settle', scene.settlement(id, 'p1', 'pending'), /^OK [^\n]*\npayment_pending /)
  t.equal(await redis.zcard(scene.key('attempts')), 1)
})

tap.test('a payment that is pending too long gives its units up, and is still asked about', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 3 }, pendingSeconds: 30 })
  const id = await scene.pending('p1', 'A=3')
  await scene.time(29.999)
  t.match(await scene.one('hold', 'C x . . A=1'), /^INSUFFICIENT/)
  await scene.time(30)
  t.match(await scene.one('hold', 'C next . . A=3'), /^OK /)
  t.match(await scene.look(id), { state: 'expired' })
  t.equal(await redis.zcard(scene.key('attempts')), 1)
  await scene.whole(t)
})

tap.test('a late failure never undoes a paid order', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.paid('p1', 'A=3')
  for (const payment of ['p1', 'p0']) {
    for (const outcome of ['declined', 'never_taken', 'pending']) {
      await scene.refuses(t, 'settle', scene.settlement(id, payment, outcome), /^OK [^\n]*\npaid /)
    }
  }
})

tap.test('the failure of an earlier attempt does not touch the one in progress', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=3')
  await scene.settle(id, 'p1', 'never_taken')
  await scene.one('begin', `1 ${id} p2`)
  for (const outcome of ['declined', 'never_taken']) {
    await scene.refuses(t, 'settle', scene.settlement(id, 'p1', outcome), /^OK [^\n]*\npayment_pending \d+ \d+ \d+ p2 pending /)
  }
})

tap.test('the success of an earlier attempt pays the order, and the one in progress is refunded when it succeeds', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=3')
  await scene.settle(id, 'p1', 'never_taken')
  await scene.one('begin', `1 ${id} p2`)
  t.match(await scene.settle(id, 'p1', 'succeeded'), { state: 'paid', paymentId: 'p1' })
  t.equal(await redis.zcard(scene.key('attempts')), 1, 'the second is still asked about')
  t.match(await scene.settle(id, 'p2', 'succeeded'), { state: 'paid', paymentId: 'p1' })
  t.match(await outbox(scene), [{ kind: 'paid', payment: 'p1' }, { kind: 'refund', payment: 'p2', reason: 'duplicate', order: '' }])
  t.equal(await redis.zcard(scene.key('attempts')), 0)
  await scene.whole(t)
})

tap.test('a payment that did not start here counts as an attempt of its own', async (t) => {
  const scene = await openScene(engine, redis)
  const failed = await scene.order('A=1')
  t.match(await scene.settle(failed, 'ext-1', 'declined'), { state: 'awaiting_payment', paymentId: 'ext-1', paymentStatus: 'declined', deadline: at(600) })
  await scene.refuses(t, 'settle', scene.settlement(failed, 'ext-1', 'declined'), /^OK /)
  t.match(await scene.settle(failed, 'ext-2', 'succeeded'), { state: 'paid', paymentId: 'ext-2' })
  const busy = await scene.pending('p1', 'A=1')
  await scene.refuses(t, 'settle', scene.settlement(busy, 'ext-3', 'declined'), /^OK [^\n]*\npayment_pending \d+ \d+ \d+ p1 pending /)
  t.match(await scene.settle(busy, 'ext-4', 'succeeded'), { state: 'paid', paymentId: 'ext-4' })
  await scene.whole(t)
})

tap.test('one payment counts for one order only', async (t) => {
  const scene = await openScene(engine, redis)
  const one = await scene.order('A=1')
  const two = await scene.order('A=1')
  const replies = await scene.ask('settle', scene.settlement(one, 'ext', 'succeeded'), scene.settlement(two, 'ext', 'succeeded'))
  t.strictSame(replies.map((reply) => orderReply(reply).state), ['paid', 'awaiting_payment'])
  t.equal((await outbox(scene)).length, 1)
  await scene.whole(t)
})

tap.test('of an order that nobody knows a success is refunded once, a failure is nothing', async (t) => {
  const scene = await openScene(engine, redis)
  const stranger = scene.settlement('nobody', 'p1', 'succeeded', 700)
  for (const outcome of ['declined', 'never_taken', 'pending']) {
    await scene.refuses(t, 'settle', scene.settlement('nobody', 'p1', outcome, 700), 'ORDER_NOT_FOUND')
  }
  t.strictSame(await scene.ask('settle', stranger, stranger), ['ORDER_NOT_FOUND', 'ORDER_NOT_FOUND'])
  await scene.refuses(t, 'settle', stranger, 'ORDER_NOT_FOUND')
  t.match(await outbox(scene), [{ kind: 'refund', payment: 'p1', amount: '700', currency: 'USD', orderId: scene.orderId('nobody'), reason: 'unknown_order', order: '' }])
  t.equal((await outbox(scene)).length, 1)
})

tap.test('money for an order of an earlier epoch is refunded', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=1')
  await redis.hset(scene.key('policy'), 'epoch', 2)
  t.equal(await scene.one('settle', scene.settlement(id, 'p1', 'succeeded')), 'ORDER_NOT_FOUND')
  t.match(await outbox(scene), [{ kind: 'refund', payment: 'p1', reason: 'unknown_order' }])
})

tap.test('a malformed report of a payment refuses itself only', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=1')
  const good = scene.settlement(id, 'p1', 'succeeded')
  const malformed = [
    '', '1', `1 ${id} p1 succeeded`, `1 ${id} p1 succeeded 2500 USD`, `1 ${id} p1 succeeded 2500 usd x`, `1 ${id} p1 refunded 2500 USD x`,
    `1 ${id} p1 succeeded 2500 USDT x`, `x ${id} p1 succeeded 2500 USD x`, `1 nobody p1 refunded 1 USD x`,
    ...notWhole.map((amount) => `1 ${id} p1 succeeded ${amount} USD x`),
  ]
  const before = await dump(redis)
  t.strictSame(await scene.ask('settle', ...malformed), malformed.map(() => 'INVALID'))
  t.strictSame(await dump(redis), before)
  const replies = await scene.ask('settle', malformed[0]!, good, malformed[1]!)
  t.equal(replies[0], 'INVALID')
  t.match(orderReply(replies[1]!), { state: 'paid' })
})
