import tap from 'tap'
import { runScript } from '../../src/engine/scripts.js'
import { dump, freshEngine, publishSale, saleDefinition } from '../redis.js'
import { at, notWhole, openScene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

let published = 0
/** Publishes a sale of a new name from raw words. */
async function publish(...words: (string | number)[]): Promise<{ reply: unknown; saleId: string }> {
  const saleId = `raw-${published++}`
  return { saleId, reply: await runScript(redis, 'publish', { saleId, shard: 0 }, words) }
}
const policy = ['-', '-', 'cart', 600_000, 1_800_000, 600_000, 900_000, 'USD', '{}', '1 0 0-0 0'] as const

tap.test('a published sale is open at once or at its start, every unit of it available', async (t) => {
  const now = await publishSale(engine, { items: { A: 10, B: 0 } })
  t.match(await engine.sale(now.saleId), { status: 'open', endsAt: null, items: [{ stock: { quantity: 10, available: 10, inCarts: 0 } }, { stock: { quantity: 0, available: 0 } }] })
  const later = saleDefinition({ startsAtMs: at(0), endsAtMs: at(60) })
  t.strictSame(await engine.publish(later), { startsAtMs: at(0) })
  t.match(await engine.sale(later.saleId), { status: 'scheduled', startsAt: new Date(at(0)).toISOString(), endsAt: new Date(at(60)).toISOString() })
  t.match(await engine.sales(), [now.saleId, later.saleId].toSorted().map((saleId) => ({ saleId, items: undefined })))
})

tap.test('publishing twice changes nothing, whatever was sold in between', async (t) => {
  const definition = saleDefinition({ startsAtMs: at(-60) })
  await engine.publish(definition)
  await engine.createCart(definition.saleId, [{ sku: 'A', quantity: 1 }])
  const before = await dump(redis)
  t.strictSame(await engine.publish({ ...definition, startsAtMs: at(0), items: [] }), { startsAtMs: at(-60) })
  t.strictSame(await dump(redis), before)
})

tap.test('a sale has ten thousand items and no more', async (t) => {
  const items = (count: number) => Array.from({ length: count }, (_, i) => [`s${i}`, 1, 0, 100, 0]).flat()
  t.match((await publish(...policy, ...items(10_000))).reply, /^OK \d+$/)
  t.equal((await publish(...policy, ...items(10_001))).reply, 'INVALID')
  t.equal(await redis.hlen('fs:{raw-0.0}:stock'), 10_000)
})

tap.test('a malformed sale is refused whole', async (t) => {
  const item = ['A', 10, 0, 2_500, 0]
  const wrong = (i: number, word: string) => [...policy, ...item].map((known, j) => (i === j ? word : known))
  const malformed: (string | number)[][] = [
    wrong(2, 'shelf'), wrong(7, 'usd'), wrong(7, 'DOLLAR'), wrong(10, 'a b'), wrong(10, ''), wrong(10, 'a=1'),
    [...policy, ...item, 'B'], [...policy, ...item, 'B', 10, 0, 2_500], [...policy, ...item, 'B', 10, 0, 2_500, 'none'],
    ...['', '0 0 0-0 0', '1 2 0-0 0', '1 0 0 0', '1 0 0-0', '1 0 x-0 0', '1000000 0 0-0 0', 'nan 0 0-0 0', '-1 0 0-0 0'].map((words) => wrong(9, words)),
    ...['99999999999999999999-0', '5-99999999999999999999'].map((last) => wrong(9, `1 0 ${last} 0`)),
    wrong(12, '11'),
    ...[0, 1, 3, 4, 5, 6, 11, 12, 13, 14].flatMap((i) => notWhole.map((number) => wrong(i, number))),
    wrong(11, '1000000001'),
  ]
  const before = await dump(redis)
  for (const words of malformed) t.equal((await publish(...words)).reply, 'INVALID', words.join(' '))
  t.strictSame(await dump(redis), before)
})

tap.test('a sale is paused and resumed at once', async (t) => {
  const scene = await openScene(engine, redis, { endsAtMs: at(60) })
  t.equal(await scene.run('control', 'resume'), 'SALE_STATE')
  t.equal(await scene.run('control', 'pause'), `OK ${at(60)}`)
  t.match(await engine.sale(scene.saleId), { status: 'paused' })
  t.equal(await scene.run('control', 'pause'), 'SALE_STATE')
  t.equal(await scene.run('control', 'resume'), `OK ${at(60)}`)
  t.match(await engine.sale(scene.saleId), { status: 'open' })
})

tap.test('a sale is ended at once, open, paused or scheduled, and that is for good', async (t) => {
  for (const begin of [[], ['pause']] as const) {
    const scene = await openScene(engine, redis)
    for (const action of begin) await scene.run('control', action)
    t.strictSame(await engine.control(scene.saleId, 'end'), { endsAtMs: at(0) })
    const before = await dump(redis)
    for (const action of ['pause', 'resume', 'end'] as const) {
      t.match(await engine.control(scene.saleId, action), { refused: 'sale_state' })
    }
    t.strictSame(await dump(redis), before)
  }
  const scheduled = await openScene(engine, redis, { startsAtMs: at(60), endsAtMs: at(120) })
  t.equal(await scheduled.run('control', 'pause'), 'SALE_STATE', 'what has not begun cannot be paused')
  t.strictSame(await engine.control(scheduled.saleId, 'end'), { endsAtMs: at(0) })
  await scheduled.time(90)
  t.match(await engine.sale(scheduled.saleId), { status: 'ended' })
})

tap.test('a sale without an end says so; one that nobody knows, or an unknown action, is refused', async (t) => {
  const scene = await openScene(engine, redis)
  t.equal(await scene.run('control', 'pause'), 'OK -')
  t.equal(await scene.run('control', 'close'), 'INVALID')
  t.match(await engine.control('nobody', 'pause'), { refused: 'sale_not_found' })
  t.equal(await runScript(redis, 'control', { saleId: 'nobody', shard: 0 }, ['pause']), 'NO_SALE')
})

tap.test('a restock is available at once, once for each adjustment', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1 } })
  await scene.cart('A=1')
  t.equal(await scene.run('adjust', 'adj-1', 'A', 5), 'OK')
  const before = await dump(redis)
  t.equal(await scene.run('adjust', 'adj-1', 'A', 5), 'OK')
  t.strictSame(await dump(redis), before)
  t.match(await scene.counters('A'), { allocation: 6, available: 5, inCarts: 1 })
  t.match(await engine.entries(scene.shard, '-', '+', 9), [
    { kind: 'adjusted', adjustmentId: 'adj-1', sku: 'A', delta: 5, counters: [{ sku: 'A', allocation: 6, available: 5, held: 1, sold: 0 }] },
  ], 'it has its place in the ledger')
  await scene.whole(t)
})

tap.test('a shrink takes only what is available, and goes to Postgres through the outbox', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10 } })
  await scene.cart('A=2')
  await scene.paid('p1', 'A=3')
  const [sold] = await engine.entries(scene.shard, '-', '+', 1)
  t.match(await engine.adjust(scene.saleId, 'A', -6, 'adj-0'), { refused: 'below_committed' })
  t.match(await scene.counters('A'), { allocation: 10, available: 5, inCarts: 2, sold: 3 })
  t.equal(await engine.adjust(scene.saleId, 'A', -5, 'adj-1'), null)
  t.equal(await engine.adjust(scene.saleId, 'A', -5, 'adj-1'), null)
  t.match(await scene.counters('A'), { allocation: 5, available: 0, inCarts: 2, sold: 3 })
  t.match(await engine.entries(scene.shard, `(${sold!.outboxId}`, '+', 9), [
    { kind: 'adjusted', adjustmentId: 'adj-1', saleId: scene.saleId, sku: 'A', delta: -5, counters: [{ sku: 'A', allocation: 5, available: 0, held: 2, sold: 3 }] },
  ])
  t.equal(await redis.xlen(scene.key('outbox')), 2)
  await scene.whole(t)
})

tap.test('a shrink that was refused once stays refused, since whoever asked has withdrawn it', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 5 } })
  const cart = await scene.cart('A=2')
  t.equal(await scene.run('adjust', 'adj', 'A', -4), 'BELOW_COMMITTED')
  t.equal(await scene.one('remove', `1 ${cart}`), 'OK')
  t.equal(await scene.run('adjust', 'adj', 'A', -4), 'BELOW_COMMITTED')
  t.equal(await scene.run('adjust', 'another', 'A', -4), 'OK')
  t.match(await scene.counters('A'), { allocation: 1, available: 1 })
})

tap.test('an allocation has its bound, an unknown item is not found', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10 } })
  const before = await dump(redis)
  t.equal(await scene.run('adjust', 'a', 'A', 1e9 - 9), 'TOO_MANY')
  t.equal(await scene.run('adjust', 'a', 'nope', 1), 'ITEM_NOT_FOUND')
  t.match(await engine.adjust('nobody', 'A', 1, 'a'), { refused: 'sale_not_found' })
  t.equal(await runScript(redis, 'adjust', { saleId: 'nobody', shard: 0 }, ['a', 'A', 1]), 'NO_SALE')
  const numbers = notWhole.filter((number) => number !== '-1')
  for (const delta of [...numbers, '1000000001', '-1000000001', '--1', '-']) t.equal(await scene.run('adjust', 'a', 'A', delta), 'INVALID', delta)
  t.equal(await scene.run('adjust', 'a b', 'A', 1), 'INVALID')
  t.strictSame(await dump(redis), before)
  t.equal(await scene.run('adjust', 'a', 'A', 1e9 - 10), 'OK')
  t.match(await scene.counters('A'), { allocation: 1e9, available: 1e9 })
})

tap.test('a shrink may take what 1,100 lapsed holds give back', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1_100 } })
  await scene.carts(1_100, 'A')
  await scene.time(600)
  t.equal(await scene.run('adjust', 'a', 'A', -1_100), 'MORE')
  t.equal(await engine.adjust(scene.saleId, 'A', -1_100, 'a'), null)
  t.match(await scene.counters('A'), { allocation: 0, available: 0, inCarts: 0 })
  await scene.whole(t)
})

tap.test('a closed sale is not adjusted any more; what was done before is still done', async (t) => {
  const scene = await openScene(engine, redis)
  await scene.run('adjust', 'a', 'A', 1)
  await scene.run('control', 'end')
  t.equal(await scene.run('adjust', 'b', 'A', 1), 'OK', 'an ended one is')
  t.equal(await scene.run('close'), 'OPEN', 'Postgres has not heard of it yet')
  await redis.del(scene.key('outbox'))
  t.equal(await scene.run('close'), 'CLOSED')
  t.equal(await scene.run('adjust', 'c', 'A', 1), 'SALE_CLOSED')
  t.equal(await scene.run('adjust', 'a', 'A', 1), 'OK')
  t.match(await engine.adjust(scene.saleId, 'A', 1, 'c'), { refused: 'sale_state' })
  t.match(await scene.counters('A'), { allocation: 12 })
})
