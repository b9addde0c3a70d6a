import tap from 'tap'
import { freshEngine, type SaleOverrides } from '../redis.js'
import { at, openScene, type Scene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

/** @returns what the outbox says: kind, payment, reason, whether an order goes with it */
async function outbox(scene: Scene): Promise<string[]> {
  const entries = await engine.entries(scene.shard, '-', '+', 1_000)
  return entries.map((entry) => {
    if (entry.kind !== 'paid' && entry.kind !== 'refund') return entry.kind
    const reason = entry.kind === 'refund' ? ` ${entry.reason}` : ''
    return `${entry.kind} ${entry.payment.paymentId}${reason} of ${entry.payment.amount}${entry.order === null ? '' : ', order'}`
  })
}

/** A sale of three units, and an order of two of them that lapsed while its payment `p1` was pending. */
async function lapsed(overrides: SaleOverrides = {}): Promise<{ scene: Scene; id: string }> {
  const scene = await openScene(engine, redis, { items: { A: 3 }, ...overrides })
  const id = await scene.pending('p1', 'A=2')
  await scene.time(900)
  return { scene, id }
}

for (const swept of [true, false]) {
  tap.test(`money that comes after the order lapsed, ${swept ? 'swept' : 'not swept yet'}, takes the units again where they are there`, async (t) => {
    const { scene, id } = await lapsed()
    if (swept) await scene.run('sweep')
    t.match(await scene.settle(id, 'p1', 'succeeded'), { state: 'paid', paymentId: 'p1', paidAt: at(900) })
    t.match(await scene.counters('A'), { available: 1, inOrders: 0, sold: 2 })
    t.strictSame(await outbox(scene), ['paid p1 of 5000, order'])
    t.equal(await redis.zscore(scene.key('retention'), `o:${id}`), null, 'nothing forgets a paid order')
    await scene.refuses(t, 'settle', scene.settlement(id, 'p1', 'succeeded'), /^OK [^\n]*\npaid /)
    await scene.whole(t)
  })
}

tap.test('a paid order that had lapsed is kept until Postgres has it, however long that takes', async (t) => {
  const { scene, id } = await lapsed()
  await scene.run('sweep')
  await scene.settle(id, 'p1', 'succeeded')
  await scene.time(900 + 100 * 3_600)
  await scene.run('sweep')
  t.match(await scene.look(id), { state: 'paid' })
})

tap.test('money that comes after its units went to others is refunded, and takes nothing', async (t) => {
  const { scene, id } = await lapsed()
  await scene.cart('A=2')
  t.match(await scene.settle(id, 'p1', 'succeeded'), { state: 'refund_due', paymentId: 'p1', paymentStatus: 'succeeded' })
  t.match(await scene.counters('A'), { available: 1, inCarts: 2, inOrders: 0, sold: 0 })
  t.strictSame(await outbox(scene), ['refund p1 lapsed of 5000, order'])
  await scene.refuses(t, 'settle', scene.settlement(id, 'p1', 'succeeded'), /^OK [^\n]*\nrefund_due /)
  await scene.refuses(t, 'begin', `1 ${id} p2`, 'ORDER_EXPIRED')
  await scene.refuses(t, 'cancel', `1 ${id}`, 'ORDER_EXPIRED')
  await scene.whole(t)
})

tap.test('of an order with many lines late money takes all units again, or none', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 3, B: 1 } })
  const id = await scene.pending('p1', 'A=2', 'B=1')
  await scene.time(900)
  await scene.cart('B=1')
  t.match(await scene.settle(id, 'p1', 'succeeded'), { state: 'refund_due' })
  t.match(await scene.counters('A'), { available: 3, inOrders: 0, sold: 0 })
  await scene.whole(t)
})

tap.test('late money and the next customer in one batch: whoever came first has the units', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 2 } })
  const one = await scene.pending('p1', 'A=2')
  await scene.time(900)
  const two = await scene.pending('p2', 'A=2')
  await scene.time(1_800)
  const replies = await scene.ask('settle', scene.settlement(two, 'p2', 'succeeded'), scene.settlement(one, 'p1', 'succeeded'))
  t.match(replies[0], /\npaid /)
  t.match(replies[1], /\nrefund_due /)
  t.strictSame(await outbox(scene), ['paid p2 of 5000, order', 'refund p1 lapsed of 5000, order'])
  await scene.whole(t)
})

tap.test('late money finds the units of 1,100 other holds that lapsed as well', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1_100 } })
  const id = await scene.pending('p1', 'A=1100')
  await scene.time(900)
  await scene.carts(1_100, 'A')
  await scene.time(1_500)
  t.equal(await scene.one('settle', scene.settlement(id, 'p1', 'succeeded')), 'MORE')
  const payment = { paymentId: 'p1', orderId: scene.orderId(id), amount: 2_750_000, currency: 'USD' }
  t.match(await engine.settlePayment(payment, 'succeeded'), { order: { status: 'paid' } })
  t.match(await scene.counters('A'), { available: 0, inCarts: 0, sold: 1_100 })
  t.strictSame(await outbox(scene), ['paid p1 of 2750000, order'])
  await scene.whole(t)
})

tap.test('money for a cancelled order is refunded, although its units are there', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 3 } })
  const id = await scene.order('A=2')
  await scene.one('cancel', `1 ${id}`)
  t.match(await scene.settle(id, 'ext', 'succeeded'), { state: 'refund_due', paymentId: 'ext' })
  t.match(await scene.counters('A'), { available: 3, sold: 0 })
  t.strictSame(await outbox(scene), ['refund ext cancelled of 5000, order'])
  await scene.refuses(t, 'cancel', `1 ${id}`, 'OK')
  await scene.refuses(t, 'begin', `1 ${id} p2`, 'ORDER_CANCELLED')
  await scene.whole(t)
})

tap.test('money that comes after its sale was closed is refunded, although units are there', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 3 } })
  const id = await scene.order('A=2')
  await engine.control(scene.saleId, 'end')
  await scene.time(600)
  await scene.run('sweep')
  t.equal(await scene.run('close'), 'CLOSED')
  t.match(await scene.settle(id, 'ext', 'succeeded'), { state: 'refund_due', closed: true })
  t.match(await scene.counters('A'), { available: 3, sold: 0 })
  t.strictSame(await outbox(scene), ['refund ext closed of 5000, order'])
})

tap.test('money that comes after its sale has ended, and is not closed, still takes the units', async (t) => {
  const { scene, id } = await lapsed({ endsAtMs: at(300) })
  t.match(await scene.settle(id, 'p1', 'succeeded'), { state: 'paid' })
  await scene.whole(t)
})

for (const [what, amount, currency] of [['amount', 4_999, 'USD'], ['amount', 5_001, 'USD'], ['currency', 5_000, 'EUR']] as const) {
  tap.test(`money whose ${what} is not the order's (${amount} ${currency}) is refunded as it came, the units given back`, async (t) => {
    const scene = await openScene(engine, redis, { items: { A: 3 } })
    const live = await scene.pending('p1', 'A=2')
    t.match(await scene.settle(live, 'p1', 'succeeded', amount, currency), { state: 'refund_due', paymentId: 'p1' })
    t.match(await scene.counters('A'), { available: 3, inOrders: 0, sold: 0 })
    t.equal(await redis.zcard(scene.key('attempts')), 0)
    const [entry] = await engine.entries(scene.shard, '-', '+', 1)
    t.match(entry, { kind: 'refund', reason: 'amount_mismatch', payment: { amount, currency }, order: { orderId: scene.orderId(live), totalAmount: 5_000, currency: 'USD' } })
    await scene.whole(t)

    const late = await scene.pending('p2', 'A=2')
    await scene.time(900)
    t.match(await scene.settle(late, 'p2', 'succeeded', amount, currency), { state: 'refund_due' })
    t.match(await scene.counters('A'), { available: 3, sold: 0 })
    await scene.whole(t)
  })
}

tap.test('a second success on a paid order is refunded, once, and the order stays paid', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 3 } })
  const id = await scene.paid('p1', 'A=2')
  t.match(await scene.settle(id, 'ext', 'succeeded'), { state: 'paid', paymentId: 'p1' })
  await scene.refuses(t, 'settle', scene.settlement(id, 'ext', 'succeeded'), /^OK [^\n]*\npaid /)
  t.match(await scene.settle(id, 'ext-2', 'succeeded', 7, 'EUR'), { state: 'paid', paymentId: 'p1' })
  t.strictSame(await outbox(scene), ['paid p1 of 5000, order', 'refund ext duplicate of 5000', 'refund ext-2 duplicate of 7'])
  t.match(await scene.counters('A'), { available: 1, sold: 2 })
  await scene.whole(t)
})

tap.test('every success on an order that is refunded is refunded as well, once each', async (t) => {
  const { scene, id } = await lapsed()
  await scene.cart('A=3')
  await scene.settle(id, 'p1', 'succeeded')
  await scene.settle(id, 'ext', 'succeeded')
  await scene.settle(id, 'ext', 'succeeded')
  await scene.settle(id, 'p1', 'succeeded')
  t.strictSame(await outbox(scene), ['refund p1 lapsed of 5000, order', 'refund ext duplicate of 5000'])
  await engine.acknowledge(scene.shard, await engine.entries(scene.shard, '-', '+', 10))
  t.match(await scene.look(id), { state: 'refunded', paymentId: 'p1' })
  await scene.settle(id, 'p1', 'succeeded')
  await scene.settle(id, 'ext', 'succeeded')
  t.strictSame(await outbox(scene), [], 'nor after the refund was made')
  await scene.whole(t)
})

tap.test('a refund that is due is forgotten only after it was made', async (t) => {
  const { scene, id } = await lapsed()
  await scene.cart('A=3')
  await scene.settle(id, 'p1', 'succeeded')
  await scene.time(900 + 100 * 3_600)
  await scene.run('sweep')
  await scene.run('sweep')
  t.match(await scene.look(id), { state: 'refund_due' })
})

tap.test('a late failure does not undo a refund, nor bring a lapsed order back', async (t) => {
  const { scene, id } = await lapsed()
  t.match(await scene.settle(id, 'p1', 'declined'), { state: 'expired', paymentId: 'p1', paymentStatus: 'declined' })
  t.equal(await redis.zcard(scene.key('attempts')), 0)
  await scene.cart('A=3')
  t.match(await scene.settle(id, 'p1', 'succeeded'), { state: 'refund_due' }, 'a failure may be followed by a success')
  for (const outcome of ['declined', 'never_taken']) {
    await scene.refuses(t, 'settle', scene.settlement(id, 'p1', outcome), /^OK [^\n]*\nrefund_due /)
  }
})

tap.test('where units are held at checkout, late money takes what nobody has checked out', async (t) => {
  const { scene, id } = await lapsed({ holdAt: 'checkout' })
  await scene.cart('A=3')
  t.match(await scene.settle(id, 'p1', 'succeeded'), { state: 'paid' })
  t.match(await scene.counters('A'), { available: 1, inCarts: 3, sold: 2 })
  await scene.whole(t)
})
