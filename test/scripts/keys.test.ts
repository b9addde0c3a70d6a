import tap from 'tap'
import { freshEngine } from '../redis.js'
import { at, customer, customerJson, openScene } from './scene.js'

const { engine, redis } = await freshEngine(tap)
const day = 24 * 3_600

tap.test('the same request under the same key makes one cart, and is answered with it as it is now', async (t) => {
  const scene = await openScene(engine, redis)
  t.match(await scene.one('hold', 'C mine key-1 print A=2'), /^OK open mine /)
  await scene.refuses(t, 'hold', 'C other key-1 print A=2', `OK open mine ${at(600)} - A 2 2500 10 8 0`)
  await scene.time(5)
  await scene.one('hold', 'S 1 mine A 3')
  await scene.refuses(t, 'hold', 'C other key-1 print A=2', `OK open mine ${at(605)} - A 3 2500 10 7 0`)
  t.match(await scene.counters('A'), { available: 7, inCarts: 3 })
  await scene.whole(t)
})

tap.test('a replay knows its request whatever the order of its lines', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10, B: 10 } })
  const first = await engine.createCart(scene.saleId, [{ sku: 'A', quantity: 1 }, { sku: 'B', quantity: 2 }], 'key')
  const again = await engine.createCart(scene.saleId, [{ sku: 'B', quantity: 2 }, { sku: 'A', quantity: 1 }], 'key')
  t.strictSame(again, first)
  t.match(await engine.createCart(scene.saleId, [{ sku: 'B', quantity: 1 }], 'key'), { refused: 'idempotency_key_reused' })
})

tap.test('a key with another request is refused and takes nothing', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: { allocation: 10, maxPerCart: 5 } } })
  await scene.one('hold', 'C mine key print A=2')
  await scene.refuses(t, 'hold', 'C other key another A=1', 'KEY_REUSED')
  await scene.refuses(t, 'hold', 'C other key another A=99', 'KEY_REUSED')
  await engine.control(scene.saleId, 'pause')
  await scene.refuses(t, 'hold', 'C other key another A=1', /^SALE_NOT_OPEN /)
})

tap.test('only a success is recorded: a key whose request was refused is still free', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1 } })
  const holder = await scene.cart('A=1')
  await scene.refuses(t, 'hold', 'C mine key print A=1', /^INSUFFICIENT/)
  await scene.refuses(t, 'hold', 'C mine key print A=1e3', 'INVALID')
  await scene.one('remove', `1 ${holder}`)
  t.match(await scene.one('hold', 'C mine key another A=1'), /^OK open mine /)
})

tap.test('one key twice in one batch makes one cart', async (t) => {
  const scene = await openScene(engine, redis)
  const replies = await scene.ask('hold', 'C a key print A=2', 'C b key print A=2', 'C c key another A=1', 'S 1 a A 4', 'C d key print A=2')
  t.strictSame(replies, [
    `OK open a ${at(600)} - A 2 2500 10 8 0`,
    `OK open a ${at(600)} - A 2 2500 10 8 0`,
    'KEY_REUSED',
    `OK open a ${at(600)} - A 4 2500 10 6 0`,
    `OK open a ${at(600)} - A 4 2500 10 6 0`,
  ])
  t.equal(await redis.hlen(scene.key('carts')), 1)
  await scene.whole(t)
})

tap.test('a key refused at first in a batch is free for the next request of it', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1 } })
  const holder = await scene.cart('A=1')
  const replies = await scene.ask('hold', 'C a key print A=1', `S 1 ${holder} A 0`, 'C b key print A=1', 'C c key print A=1')
  t.match(replies, [/^INSUFFICIENT/, /^OK open/, /^OK open b /, /^OK open b /])
  await scene.whole(t)
})

tap.test('a retry gets its cart although the sale has paused, ended or sold out since', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 2 } })
  await scene.one('hold', 'C mine key print A=2')
  await engine.control(scene.saleId, 'pause')
  t.match(await scene.one('hold', 'C again key print A=2'), /^OK open mine /)
  await engine.control(scene.saleId, 'end')
  t.match(await scene.one('hold', 'C again key print A=2'), /^OK open mine /)
})

tap.test('a replay follows its cart: checked out, expired, gone', async (t) => {
  const scene = await openScene(engine, redis)
  const replay = (key: string) => scene.one('hold', `C again ${key} print A=1`)
  for (const key of ['order', 'lapsed', 'back', 'paid']) await scene.one('hold', `C ${key} ${key} print A=1`)
  await scene.one('checkout', `1 order ${customerJson}`)
  t.equal(await replay('order'), `OK checked_out order ${at(600)} - A 1 2500 10 6 3`)
  await scene.one('remove', '1 back')
  t.equal(await replay('back'), 'CART_NOT_FOUND')
  await scene.one('checkout', `1 paid ${customerJson}`)
  await scene.one('begin', '1 paid p1')
  await scene.settle('paid', 'p1', 'succeeded', 2_500)
  t.equal(await replay('paid'), 'CART_NOT_FOUND')
  await scene.time(600)
  t.equal(await replay('lapsed'), 'CART_EXPIRED')
  await scene.time(600 + 3_600)
  t.equal(await replay('lapsed'), 'CART_NOT_FOUND')
  t.match(await scene.counters('A'), { available: 9, inCarts: 0, inOrders: 0, sold: 1 }, 'and no replay took a unit')
  await scene.whole(t)
})

tap.test('a key is kept for 24 hours, then it is free', async (t) => {
  const scene = await openScene(engine, redis)
  await scene.one('hold', 'C first key print A=1')
  await scene.time(day - 0.001)
  await scene.run('sweep')
  t.equal(await scene.one('hold', 'C second key print A=1'), 'CART_NOT_FOUND')
  t.equal(await scene.one('hold', 'C second key another A=1'), 'KEY_REUSED')
  await scene.time(day)
  t.match(await scene.one('hold', 'C second key another A=1'), /^OK open second /, 'swept or not')
  await scene.run('sweep')
  t.match(await scene.one('hold', 'C third key another A=1'), /^OK open second /, 'its second use is kept as well')
  await scene.time(2 * day)
  await scene.run('sweep')
  await scene.run('sweep')
  t.equal(await redis.hlen(scene.key('idempotency')), 0)
  t.equal(await redis.zcard(scene.key('retention')), 0)
})

tap.test('every key that a client may choose is one', async (t) => {
  const scene = await openScene(engine, redis)
  for (const key of ['-', '_', '--', '0', 'x'.repeat(64)]) {
    const first = await engine.createCart(scene.saleId, [{ sku: 'A', quantity: 1 }], key)
    t.match(first, { status: 'open' })
    t.match(await engine.createCart(scene.saleId, [{ sku: 'A', quantity: 1 }], key), { cartId: 'cartId' in first && first.cartId }, key)
  }
  t.match(await scene.counters('A'), { inCarts: 5 })
})

tap.test('a key belongs to its sale', async (t) => {
  const one = await openScene(engine, redis)
  const two = await openScene(engine, redis)
  t.match(await one.one('hold', 'C a key print A=1'), /^OK open a /)
  t.match(await two.one('hold', 'C b key another A=2'), /^OK open b /)
})

tap.test('a sale whose id holds braces or other signs never reaches a key, and sales of like names stay apart', async (t) => {
  const { shardKey, shardKeys } = await import('../../src/keys.js')
  for (const saleId of ['a}b', '{a', 'a.0}:stock', 'a b', 'ä', 'x'.repeat(33)]) {
    t.throws(() => shardKey({ saleId, shard: 0 }, 'stock'), RangeError)
  }
  const tags = new Set(shardKeys({ saleId: '-_aZ9', shard: 0 }).map((key) => /^[^{]*\{([^}]+)\}/.exec(key)?.[1]))
  t.strictSame([...tags], ['-_aZ9.0'], 'all keys of a shard share one hash tag')

  const ids = ['a', 'a-0', 'a_', 'A', '-a']
  const scenes = []
  for (const saleId of ids) scenes.push(await openScene(engine, redis, { saleId, items: { A: 2 } }))
  await scenes[0]!.cart('A=2')
  for (const scene of scenes.slice(1)) t.match(await scene.counters('A'), { available: 2 })
  t.match(await engine.checkout(scenes[1]!.cartId('nobody'), customer), { refused: 'cart_not_found' })
})
