import tap from 'tap'
import { runScript } from '../../src/engine/scripts.js'
import type { OutboxRange } from '../../src/engine/backstage.js'
import { dump, freshEngine } from '../redis.js'
import { at, openScene, type Scene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

/** Sells one unit each in so many orders. */
async function sell(scene: Scene, count: number): Promise<string[]> {
  const ids = []
  for (let i = 0; i < count; i += 1) ids.push(await scene.paid(`p${Math.random()}`, 'A=1'))
  return ids
}
const stateOf = (scene: Scene) => engine.outboxes().then((all) => all.find(({ saleId }) => saleId === scene.saleId))
const entriesOf = (scene: Scene, range: OutboxRange | null) =>
  range === null ? Promise.resolve([]) : engine.entries(scene.shard, range.first, range.last, range.count)

tap.test('entries are handed out once, in order, as many as were asked for', async (t) => {
  const scene = await openScene(engine, redis)
  t.equal(await engine.claim(scene.shard, 10, 100), null, 'nothing was sold yet')
  const ids = await sell(scene, 5)
  const [first, second] = [await engine.claim(scene.shard, 3, 100), await engine.claim(scene.shard, 3, 100)]
  t.match([first?.count, second?.count], [3, 2])
  const orders = [...(await entriesOf(scene, first)), ...(await entriesOf(scene, second))]
  t.strictSame(orders.map((entry) => entry.kind === 'paid' && entry.order.orderId), ids.map(scene.orderId))
  t.equal(await engine.claim(scene.shard, 3, 100), null)
  t.equal(await redis.xlen(scene.key('outbox')), 5, 'what was handed out stays until Postgres has it')
})

tap.test('no more entries are out than the bound, until Postgres has some of them', async (t) => {
  const scene = await openScene(engine, redis)
  await sell(scene, 5)
  const first = await engine.claim(scene.shard, 10, 3)
  t.equal(first?.count, 3)
  t.equal(await engine.claim(scene.shard, 10, 3), null)
  const entries = await entriesOf(scene, first)
  await engine.acknowledge(scene.shard, entries.slice(0, 1))
  t.equal((await engine.claim(scene.shard, 10, 3))?.count, 1)
  await engine.acknowledge(scene.shard, entries)
  t.equal((await engine.claim(scene.shard, 10, 3))?.count, 1)
  t.equal(await engine.claim(scene.shard, 10, 3), null)
})

tap.test('two relays that ask at once get each entry once', async (t) => {
  const scene = await openScene(engine, redis)
  await sell(scene, 8)
  const ranges = await Promise.all(Array.from({ length: 6 }, () => engine.claim(scene.shard, 2, 100)))
  const ids = (await Promise.all(ranges.map((range) => entriesOf(scene, range)))).flat().map(({ outboxId }) => outboxId)
  t.equal(ids.length, 8)
  t.equal(new Set(ids).size, 8)
})

tap.test('a claim answers in words: a range, or none', async (t) => {
  const scene = await openScene(engine, redis)
  const before = await dump(redis)
  t.equal(await scene.run('claim', 'postgres', 'relay', 10, 100), 'NONE')
  t.strictSame(await dump(redis), before)
  await sell(scene, 1)
  t.equal(await scene.run('claim', 'postgres', 'relay', 10, 0), 'NONE')
  t.match(await scene.run('claim', 'postgres', 'relay', 10, 100), /^\d+-\d+ \d+-\d+ 1$/)
  t.equal(await scene.run('claim', 'postgres', 'relay', 10, 100), 'NONE')
})

tap.test('an entry that stays too long is handed out again, to one caller only', async (t) => {
  const scene = await openScene(engine, redis)
  t.strictSame(await engine.stale(scene.shard, 0, 10), [], 'nothing was ever handed out')
  await sell(scene, 3)
  const entries = await entriesOf(scene, await engine.claim(scene.shard, 10, 100))
  const ids = entries.map(({ outboxId }) => outboxId)
  t.strictSame(await engine.stale(scene.shard, 60_000, 10), [], 'not before its time')
  t.strictSame(await engine.claimAgain(scene.shard, 60_000, ids), [])
  // As if handed out a minute ago.
  await redis.xclaim(scene.key('outbox'), 'postgres', 'relay', 0, ...ids, 'IDLE', 60_000)
  t.strictSame(await engine.stale(scene.shard, 60_000, 2), ids.slice(0, 2), 'no more than were asked for, oldest first')
  t.strictSame(await engine.claimAgain(scene.shard, 60_000, ids), ids)
  t.strictSame(await engine.claimAgain(scene.shard, 60_000, ids), [], 'a second caller gets none')
  t.strictSame(await engine.stale(scene.shard, 60_000, 10), [])
  t.strictSame(await engine.claimAgain(scene.shard, 60_000, []), [])
  await engine.acknowledge(scene.shard, entries)
  t.strictSame(await engine.stale(scene.shard, 0, 10), [], 'what Postgres has is out no more')
})

tap.test('what Postgres has leaves the outbox, and its order says so', async (t) => {
  const scene = await openScene(engine, redis)
  const ids = await sell(scene, 2)
  const [first, second] = await engine.entries(scene.shard, '-', '+', 10)
  t.equal(await scene.run('acknowledge', 'postgres', first!.outboxId, 'paid', ids[0]!), 1, 'claimed or not')
  t.match(await engine.order(scene.orderId(ids[0]!)), { status: 'paid', persisted: true })
  t.match(await engine.order(scene.orderId(ids[1]!)), { status: 'paid', persisted: false })
  t.match(await engine.entries(scene.shard, '-', '+', 10), [{ outboxId: second!.outboxId }])
  await scene.whole(t)
})

tap.test('acknowledged twice, an entry is counted once', async (t) => {
  const scene = await openScene(engine, redis)
  await sell(scene, 3)
  await engine.claim(scene.shard, 10, 100)
  const entries = await engine.entries(scene.shard, '-', '+', 10)
  await engine.acknowledge(scene.shard, entries.slice(0, 2))
  await engine.acknowledge(scene.shard, entries)
  await scene.time(60)
  const before = await dump(redis)
  await engine.acknowledge(scene.shard, entries)
  await engine.acknowledge(scene.shard, [...entries, ...entries])
  t.strictSame(await dump(redis), before, 'nor is it kept longer')
  t.match(await stateOf(scene), { length: 0, oldestMs: null, persisted: 3 })
})

tap.test('an order that has been forgotten is never made again', async (t) => {
  const scene = await openScene(engine, redis)
  const [id] = await sell(scene, 1)
  const entries = await engine.entries(scene.shard, '-', '+', 10)
  await engine.acknowledge(scene.shard, entries)
  await scene.time(3_600)
  await scene.run('sweep')
  await scene.run('sweep')
  t.equal(await redis.hlen(scene.key('orders')), 0)
  await engine.acknowledge(scene.shard, entries)
  t.equal(await redis.hlen(scene.key('orders')), 0)
  t.equal(await redis.zscore(scene.key('retention'), `o:${id}`), null)
  t.equal(await scene.one('read', `O 1 ${id}`), 'ORDER_NOT_FOUND')
})

tap.test('once its refund was made an order is refunded, and kept an hour', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.order('A=1')
  await scene.settle(id, 'ext', 'succeeded', 1)
  await engine.acknowledge(scene.shard, await engine.entries(scene.shard, '-', '+', 10))
  t.match(await engine.order(scene.orderId(id)), { status: 'refunded', persisted: true, payBy: null, payment: { paymentId: 'ext', status: 'succeeded' } })
  t.match(await stateOf(scene), { persisted: 0 }, 'it is not counted as sold')
  await scene.time(3_600)
  await scene.run('sweep')
  t.equal(await scene.one('read', `O 1 ${id}`), 'ORDER_NOT_FOUND')
})

tap.test('the refund of a second payment leaves its order as it is', async (t) => {
  const scene = await openScene(engine, redis)
  const [id] = await sell(scene, 1)
  await scene.settle(id!, 'twice', 'succeeded', 2_500)
  const [, refund] = await engine.entries(scene.shard, '-', '+', 10)
  await engine.acknowledge(scene.shard, [refund!])
  t.match(await engine.order(scene.orderId(id!)), { status: 'paid', persisted: false })
})

tap.test('a shrink that Postgres has leaves the outbox', async (t) => {
  const scene = await openScene(engine, redis)
  await engine.adjust(scene.saleId, 'A', -1, 'adj')
  await engine.acknowledge(scene.shard, await engine.entries(scene.shard, '-', '+', 10))
  t.equal(await redis.xlen(scene.key('outbox')), 0)
  t.match(await stateOf(scene), { persisted: 0 }, 'it is not counted as sold')
})

tap.test('the counters of the entries follow one another as the units were sold', async (t) => {
  const scene = await openScene(engine, redis)
  await sell(scene, 3)
  await scene.time(1)
  const entries = await engine.entries(scene.shard, '-', '+', 10)
  t.strictSame(entries.map((entry) => entry.kind === 'paid' && entry.counters), [1, 2, 3].map((sold) => [{ sku: 'A', allocation: 10, available: 10 - sold, held: 0, sold }]))
  t.ok(entries.every((entry) => entry.kind === 'paid' && entry.paidAtMs === at(0)))
})

tap.test('many entries are acknowledged in one step', async (t) => {
  const scene = await openScene(engine, redis)
  const gone = Array.from({ length: 5_000 }, (_, i) => [`1-${i + 1}`, 'paid', '-']).flat()
  await sell(scene, 1)
  const [entry] = await engine.entries(scene.shard, '-', '+', 1)
  t.equal(await runScript(redis, 'acknowledge', scene.shard, ['postgres', ...gone, entry!.outboxId, 'paid', '-']), 1)
})
