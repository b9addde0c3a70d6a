import tap from 'tap'
import { dump, freshEngine } from '../redis.js'
import { at, openScene, orderReply } from './scene.js'

const { engine, redis } = await freshEngine(tap)

tap.test('a sale tells its state, its items and their live numbers', async (t) => {
  const scene = await openScene(engine, redis, {
    startsAtMs: at(-60), endsAtMs: at(3_600), items: { A: { allocation: 10, maxPerCart: 4 }, B: { allocation: 2, unitAmount: 5 } },
  })
  await scene.cart('A=3', 'B=2')
  await scene.paid('p1', 'A=2')
  const [sale, a, every] = await scene.ask('read', 'P', 'I A', 'A')
  t.equal(sale, `OK open ${at(-60)} ${at(3_600)} 0`)
  t.equal(a, `OK open ${at(-60)} ${at(3_600)} 0 - A 4 2500 8 5 3`)
  t.match(every, new RegExp(`^OK open \\d+ \\d+ 0 ${at(600)} `))
  t.ok(every!.includes(' A 4 2500 8 5 3') && every!.includes(` B 0 5 2 0 2`))
})

tap.test('a storefront sees the sale with its items in the order in which it was published', async (t) => {
  const scene = await openScene(engine, redis, { startsAtMs: at(-60), items: { Z: 6, B: { allocation: 5, maxPerCart: 2, listAmount: 4_000 } } })
  t.strictSame(await engine.sale(scene.saleId), {
    saleId: scene.saleId, name: 'Friday', status: 'open', startsAt: new Date(at(-60)).toISOString(), endsAt: null,
    holdAt: 'cart', holdSeconds: 600, maxHoldSeconds: 1_800, paymentSeconds: 600, lowStockAt: 5,
    items: [
      {
        sku: 'Z', name: 'Item Z', description: 'As pictured', price: { amount: 2_500, currency: 'USD' }, listPrice: null,
        maxPerCart: null, stock: { quantity: 6, available: 6, inCarts: 0 }, lowStock: false, mayReturnAt: null,
      },
      {
        sku: 'B', name: 'Item B', description: 'As pictured', price: { amount: 2_500, currency: 'USD' },
        listPrice: { amount: 4_000, currency: 'USD' }, maxPerCart: 2, stock: { quantity: 5, available: 5, inCarts: 0 },
        lowStock: true, mayReturnAt: null,
      },
    ],
  })
})

tap.test('carts that say the same are each told their own deadline', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 9, B: 9 } })
  const first = await scene.cart('A=1')
  await scene.time(5)
  const [second, third] = [await scene.cart('A=1'), await scene.cart('B=1')]
  t.strictSame(await scene.ask('read', ...[first, second, third].map((id) => `C 1 ${id}`)), [
    `OK open ${first} ${at(600)} - A 1 2500 9 7 1`,
    `OK open ${second} ${at(605)} - A 1 2500 9 7 1`,
    `OK open ${third} ${at(605)} - B 1 2500 9 8 0`,
  ])
})

tap.test('a sale is scheduled, open, paused or ended, to the millisecond', async (t) => {
  const scene = await openScene(engine, redis, { startsAtMs: at(10), endsAtMs: at(20) })
  const status = async () => (await scene.one('read', 'P')).split(' ')[1]
  t.equal(await status(), 'scheduled')
  await scene.time(9.999)
  t.equal(await status(), 'scheduled')
  await scene.time(10)
  t.equal(await status(), 'open')
  await engine.control(scene.saleId, 'pause')
  t.equal(await status(), 'paused')
  await scene.time(20)
  t.equal(await status(), 'ended', 'a paused sale ends as well')
})

tap.test('reading writes nothing, whatever has lapsed; what has lapsed counts as gone', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10, B: 1 } })
  const cart = await scene.cart('A=1', 'B=1')
  const order = await scene.order('A=2')
  const pending = await scene.pending('p1', 'A=3')
  await scene.time(600)
  const before = await dump(redis)
  const [a, , gone, ended, waits] = await scene.ask('read', 'I A', 'A', `C 1 ${cart}`, `O 1 ${order}`, `O 1 ${pending}`)
  t.match(a, / A 0 2500 10 7 3$/)
  t.equal(gone, 'CART_EXPIRED')
  t.equal(orderReply(ended!).state, 'expired')
  t.equal(orderReply(waits!).state, 'payment_pending')
  t.strictSame(await dump(redis), before)
})

tap.test('units may return when the sale’s first hold can lapse, and only where none is left', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1, B: 2 } })
  await scene.cart('B=1')
  await scene.time(30)
  const order = await scene.order('A=1')
  t.match(await scene.one('read', 'I A'), new RegExp(` ${at(600)} A `))
  t.match(await scene.one('read', 'I B'), / - B /)
  t.match(await engine.sale(scene.saleId), { items: [{ mayReturnAt: new Date(at(600)).toISOString() }, { mayReturnAt: null }] })
  await scene.time(600)
  t.match(await scene.one('read', 'I A'), new RegExp(` ${at(630)} A `))
  await scene.one('begin', `1 ${order} p1`)
  await scene.settle(order, 'p1', 'succeeded')
  t.match(await scene.one('read', 'I A'), / - A 0 2500 0 0 0$/, 'what is sold never returns')
})

tap.test('where units are held at checkout, interest alone never makes an item look held', async (t) => {
  const scene = await openScene(engine, redis, { holdAt: 'checkout', items: { A: 2 } })
  await scene.cart('A=2')
  await scene.cart('A=1')
  t.match(await scene.one('read', 'I A'), / - A 0 2500 2 2 3$/)
  const order = await scene.order('A=2')
  t.match(await scene.one('read', 'I A'), new RegExp(` ${at(600)} A 0 2500 2 0 5$`))
  await scene.one('begin', `1 ${order} p1`)
  await scene.settle(order, 'p1', 'succeeded')
  t.match(await scene.one('read', 'I A'), / - A 0 2500 0 0 3$/)
})

tap.test('a cart’s own units are not among those that others hold', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10 } })
  const mine = await scene.cart('A=4')
  await scene.cart('A=1')
  await scene.order('A=2')
  t.equal(await scene.one('read', `C 1 ${mine}`), `OK open ${mine} ${at(600)} - A 4 2500 10 3 3`)
  t.match(await engine.cart(scene.cartId(mine)), {
    status: 'open', orderId: null, expiresAt: new Date(at(600)).toISOString(), total: { amount: 10_000, currency: 'USD' },
    items: [{ quantity: 4, lineTotal: { amount: 10_000 }, stock: { quantity: 10, available: 3, inOtherCarts: 3 }, lowStock: true }],
  })
})

tap.test('a cart that was checked out is read with its order', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.order('A=4')
  t.equal(await scene.one('read', `C 1 ${id}`), `OK checked_out ${id} ${at(600)} - A 4 2500 10 6 0`)
  t.match(await engine.cart(scene.cartId(id)), { status: 'checked_out', orderId: scene.orderId(id) })
})

tap.test('an order is read with its customer, its frozen prices and what others hold', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.order('A=4')
  await scene.cart('A=6')
  const order = await scene.look(id)
  t.match(order, { word: 'OK', id, closed: false, returns: String(at(600)), state: 'awaiting_payment', total: 10_000, lines: 'A 4 2500 10 0 6' })
})

tap.test('once its sale is closed an order tells no stock any more', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.order('A=4')
  await scene.one('cancel', `1 ${id}`)
  await engine.control(scene.saleId, 'end')
  t.equal(await engine.closed(scene.saleId), false)
  t.equal(await engine.close(scene.shard), true)
  t.equal(await engine.closed(scene.saleId), true)
  t.match(await engine.order(scene.orderId(id)), { status: 'cancelled', payBy: null, items: [{ quantity: 4, stock: null, lowStock: false, mayReturnAt: null }] })
  t.match(await scene.one('read', 'A'), /^OK ended \d+ \d+ 1 /)
})

tap.test('what is not there is not found', async (t) => {
  const scene = await openScene(engine, redis)
  t.strictSame(await scene.ask('read', 'I nope', 'C 1 nobody', 'O 1 nobody', 'O 2 nobody', 'C 2 nobody'), [
    'ITEM_NOT_FOUND', 'CART_NOT_FOUND', 'ORDER_NOT_FOUND', 'ORDER_NOT_FOUND', 'CART_NOT_FOUND',
  ])
  t.match(await engine.sale('nobody'), { refused: 'sale_not_found' })
  t.match(await engine.item(scene.saleId, 'nope'), { refused: 'item_not_found' })
  for (const id of ['', 'c.a', scene.orderId('x'.repeat(22)), `${scene.cartId('x'.repeat(22))}x`, scene.cartId('x'.repeat(22)).replace(scene.saleId, 'other')]) {
    t.match(await engine.cart(id), { refused: 'cart_not_found' }, id)
  }
})

tap.test('a malformed question refuses itself only', async (t) => {
  const scene = await openScene(engine, redis)
  const malformed = ['', 'X', 'PP', 'C', 'C 1', 'C x y', 'C -1 y', 'O 1e3 y', 'O 1 y z']
  const replies = await scene.ask('read', ...malformed, 'P')
  for (const [i, request] of malformed.entries()) t.equal(replies[i], 'INVALID', `"${request}"`)
  t.match(replies.at(-1), /^OK /)
})

tap.test('where more has lapsed than one call can count, a question comes again rather than be answered wrong', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1_025 } })
  await scene.carts(1_025, 'A')
  await scene.time(600)
  const before = await dump(redis)
  t.strictSame(await scene.ask('read', 'I A', 'P', 'A'), ['MORE', 'MORE', 'MORE'])
  t.strictSame(await dump(redis), before)
  await scene.run('sweep')
  t.match(await scene.one('read', 'I A'), / - A 0 2500 1025 1025 0$/)
})

tap.test('of a sale that Redis does not have, nothing is said', async (t) => {
  const scene = await openScene(engine, redis)
  await redis.del(scene.key('policy'))
  t.equal(await scene.run('read', 'P'), 'NO_SALE')
})
