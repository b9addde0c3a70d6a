import tap from 'tap'
import { runScript } from '../../src/engine/scripts.js'
import { strayShard } from '../../src/keys.js'
import { dump, freshEngine } from '../redis.js'
import { notWhole, openScene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

tap.test('a sweep gives back what has lapsed in a sale that nobody asks about, part by part', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1_200, B: 5 } })
  await scene.carts(1_200, 'A')
  await scene.order('B=2')
  await scene.time(1)
  await scene.cart('B=1')
  await scene.time(600)
  t.equal(await scene.run('sweep'), 'MORE')
  await scene.whole(t)
  t.equal(await scene.run('sweep'), 'DONE')
  t.match(await scene.counters('A'), { available: 1_200, inCarts: 0 })
  t.match(await scene.counters('B'), { available: 4, inCarts: 1, inOrders: 0 })
  await scene.whole(t)
  const before = await dump(redis)
  t.equal(await engine.sweep(scene.shard), false)
  t.strictSame(await dump(redis), before, 'where there is nothing to do, nothing is written')
})

tap.test('a sweep forgets what has been kept long enough, part by part', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1_025 } })
  await scene.carts(1_025, 'A')
  await scene.time(600)
  while (await engine.sweep(scene.shard));
  t.equal(await redis.hlen(scene.key('carts')), 1_025)
  await scene.time(600 + 3_599.999)
  t.equal(await scene.run('sweep'), 'DONE')
  t.equal(await redis.hlen(scene.key('carts')), 1_025, 'until then they say that they have expired')
  await scene.time(600 + 3_600)
  t.equal(await scene.run('sweep'), 'MORE')
  t.equal(await redis.hlen(scene.key('carts')), 1, 'all that were given back by one call, and no more')
  t.equal(await scene.run('sweep'), 'DONE')
  t.equal(await redis.exists(scene.key('carts'), scene.key('retention'), scene.key('deadlines')), 0)
})

tap.test('what is forgotten by itself is forgotten part by part as well', async (t) => {
  const scene = await openScene(engine, redis)
  for (let i = 0; i < 300; i += 1) await scene.one('hold', `C empty-${i} . .`)
  await scene.time(600 + 3_600)
  t.equal(await scene.run('sweep'), 'MORE')
  t.equal(await redis.hlen(scene.key('carts')), 300 - 256)
  t.equal(await scene.run('sweep'), 'DONE')
  t.equal(await redis.exists(scene.key('carts'), scene.key('retention')), 0)
})

tap.test('a paid order is kept until Postgres has it, and an hour longer', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.paid('p1', 'A=1')
  await scene.time(100 * 3_600)
  await scene.run('sweep')
  t.match(await scene.look(id), { state: 'paid' })
  await engine.acknowledge(scene.shard, await engine.entries(scene.shard, '-', '+', 10))
  await scene.time(101 * 3_600 - 0.001)
  await scene.run('sweep')
  t.match(await engine.order(scene.orderId(id)), { status: 'paid', persisted: true })
  await scene.time(101 * 3_600)
  await scene.run('sweep')
  t.match(await engine.order(scene.orderId(id)), { refused: 'order_not_found' })
  t.match(await scene.counters('A'), { available: 9, sold: 1 }, 'its units stay sold')
  await scene.whole(t)
})

tap.test('an attempt is asked about within five seconds, by one worker only, and then every 30 seconds', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=2')
  t.strictSame(await scene.run('due', 10), ['1'], 'the request itself has the first word')
  await scene.time(5)
  t.strictSame(await scene.run('due', 10), ['1', `${id} p1 5000 find`])
  t.strictSame(await scene.run('due', 10), ['1'])
  await scene.time(34.999)
  t.strictSame(await scene.run('due', 10), ['1'])
  await scene.time(35)
  t.strictSame(await engine.dueAttempts(scene.shard, 10), [
    { ask: 'find', attempt: { paymentId: 'p1', orderId: scene.orderId(id), amount: 5_000, currency: 'USD' } },
  ])
  await scene.settle(id, 'p1', 'succeeded')
  await scene.time(100)
  t.strictSame(await scene.run('due', 10), ['1'], 'what is known is not asked about')
})

tap.test('shortly before its units go, the provider is asked to cancel, and goes on being asked until it is known', async (t) => {
  const scene = await openScene(engine, redis, { pendingSeconds: 40, paymentSeconds: 20 })
  const id = await scene.pending('p1', 'A=2')
  const asked = async (seconds: number) => {
    await scene.time(seconds)
    return (await engine.dueAttempts(scene.shard, 10)).map(({ ask }) => ask)
  }
  t.strictSame(await asked(12), ['find'])
  t.strictSame(await asked(37.999), [], 'its turn comes sooner than in 30 seconds')
  t.strictSame(await asked(38), ['cancel'])
  t.match(await scene.look(id), { state: 'payment_pending' })
  t.strictSame(await asked(41), [])
  t.strictSame(await asked(68), ['cancel'])
  t.match(await scene.look(id), { state: 'expired', paymentId: 'p1' })
  await scene.settle(id, 'p1', 'declined')
  t.strictSame(await asked(1_000), [])
  await scene.whole(t)
})

tap.test('the shortest pending time leaves half of it for finding out', async (t) => {
  const scene = await openScene(engine, redis, { pendingSeconds: 1, paymentSeconds: 1 })
  await scene.pending('p1', 'A=2')
  await scene.time(5)
  t.match(await engine.dueAttempts(scene.shard, 10), [{ ask: 'cancel' }])
  await scene.whole(t)
})

tap.test('an attempt that its order has no use for any more is cancelled', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=2')
  await scene.settle(id, 'ext', 'succeeded')
  await scene.time(5)
  t.match(await engine.dueAttempts(scene.shard, 10), [{ ask: 'cancel', attempt: { paymentId: 'p1' } }])
})

tap.test('no more attempts are handed out than were asked for, those that wait longest first', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 5 } })
  for (let i = 0; i < 5; i += 1) {
    await scene.time(i * 0.1)
    await scene.pending(`p${i}`, 'A=1')
  }
  await scene.time(5)
  const names = (due: Awaited<ReturnType<typeof engine.dueAttempts>>) => due.map(({ attempt }) => attempt.paymentId)
  t.strictSame(names(await engine.dueAttempts(scene.shard, 2)), ['p0', 'p1'])
  t.strictSame(names(await engine.dueAttempts(scene.shard, 9)), ['p2', 'p3', 'p4'])
})

tap.test('two workers who ask at once get each attempt once', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 20 } })
  for (let i = 0; i < 20; i += 1) await scene.pending(`p${i}`, 'A=1')
  await scene.time(5)
  const due = (await Promise.all(Array.from({ length: 8 }, () => engine.dueAttempts(scene.shard, 5)))).flat()
  t.equal(due.length, 20)
  t.equal(new Set(due.map(({ attempt }) => attempt.paymentId)).size, 20)
})

tap.test('a sale closes only once it has ended and nothing is held, pending or unpersisted', async (t) => {
  const scene = await openScene(engine, redis)
  const cart = await scene.cart('A=1')
  const pending = await scene.pending('p1', 'A=1')
  const open = async (why: string) => {
    const before = await dump(redis)
    t.equal(await scene.run('close'), 'OPEN', why)
    t.strictSame(await dump(redis), before)
  }
  await open('it has not ended')
  await scene.run('control', 'end')
  await open('a cart and an order hold units')
  await scene.one('remove', `1 ${cart}`)
  await open('a payment is pending')
  await scene.settle(pending, 'p1', 'succeeded')
  await open('Postgres does not have the order')
  await engine.acknowledge(scene.shard, await engine.entries(scene.shard, '-', '+', 10))
  t.equal(await scene.run('close'), 'CLOSED')
  const before = await dump(redis)
  t.equal(await engine.close(scene.shard), true)
  t.strictSame(await dump(redis), before)
})

tap.test('a sale whose pending payment lapsed stays open until the provider has spoken', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=1')
  await scene.run('control', 'end')
  await scene.time(900)
  await scene.run('sweep')
  t.equal(await scene.run('close'), 'OPEN')
  await scene.settle(id, 'p1', 'declined')
  t.equal(await scene.run('close'), 'CLOSED')
})

tap.test('a paused sale, or one that nobody knows, is not closed', async (t) => {
  const scene = await openScene(engine, redis)
  await scene.run('control', 'pause')
  t.equal(await engine.close(scene.shard), false)
  t.equal(await runScript(redis, 'close', { saleId: 'nobody', shard: 0 }, []), 'NO_SALE')
  t.equal(await engine.close({ saleId: 'nobody', shard: 0 }), false)
})

tap.test('money for an order of no sale is put down for its refund, once, and given back like any other', async (t) => {
  const stray = (...words: (string | number)[]) => runScript(redis, 'stray', strayShard, words)
  t.equal(await stray('p1', 'o.unknown', 700, 'USD'), 'OK')
  const before = await dump(redis)
  t.equal(await stray('p1', 'o.unknown', 700, 'USD'), 'OK')
  t.strictSame(await dump(redis), before)
  for (const amount of notWhole) t.equal(await stray('p2', 'o.unknown', amount, 'USD'), 'INVALID', amount)
  t.equal(await stray('p2', 'o.unknown', 700, 'usd'), 'INVALID')
  t.strictSame(await dump(redis), before)

  const payment = { paymentId: 'p3', orderId: 'whatever', amount: 5, currency: 'EUR' }
  t.strictSame(await engine.settlePayment(payment, 'succeeded'), { order: null })
  t.strictSame(await engine.settlePayment(payment, 'succeeded'), { order: null })
  t.strictSame(await engine.settlePayment({ ...payment, paymentId: 'p4' }, 'declined'), { order: null })
  const entries = await engine.entries(strayShard, '-', '+', 10)
  t.match(entries, [
    { kind: 'refund', order: null, reason: 'unknown_order', payment: { paymentId: 'p1', orderId: 'o.unknown', amount: 700, currency: 'USD' } },
    { kind: 'refund', order: null, reason: 'unknown_order', payment },
  ])
  t.equal(entries.length, 2)
  t.equal(await engine.sweep(strayShard), false)
  await engine.acknowledge(strayShard, entries)
  t.strictSame(await engine.entries(strayShard, '-', '+', 10), [])
})
