import tap from 'tap'
import { freshEngine } from '../redis.js'
import { at, customer, customerJson, notWhole, openScene, orderReply } from './scene.js'

const { engine, redis } = await freshEngine(tap)

const checkout = (id: string) => `1 ${id} ${customerJson}`

tap.test('a cart becomes an order that awaits payment: prices frozen, units held, a deadline of its own', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10, B: { allocation: 5, unitAmount: 300 } }, paymentSeconds: 120 })
  const id = await scene.cart('B=2', 'A=1')
  await scene.time(30)
  t.strictSame(orderReply(await scene.one('checkout', checkout(id))), {
    word: 'OK', id, closed: false, returns: '-', state: 'awaiting_payment', deadline: at(150), payBy: at(150),
    paymentId: '-', paymentStatus: '-', paidAt: 0, total: 3_100, lines: 'B 2 300 5 3 0 A 1 2500 10 9 0', customer: customerJson,
  })
  t.match(await scene.counters('A'), { available: 9, inCarts: 0, inOrders: 1 })
  t.equal(await redis.hlen(scene.key('carts')), 0, 'the cart is gone')
  await scene.whole(t)
})

tap.test('the storefront gets the order in the contract’s shape, the customer as given', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.cart('A=2')
  const made = await engine.checkout(scene.cartId(id), customer)
  t.match(made, {
    repeated: false,
    order: {
      orderId: scene.orderId(id), cartId: scene.cartId(id), status: 'awaiting_payment', payBy: new Date(at(600)).toISOString(),
      customer, total: { amount: 5_000, currency: 'USD' }, payment: null, persisted: false, createdAt: new Date(at(0)).toISOString(),
    },
  })
})

tap.test('checking out again answers with the same order as it is now, in whatever state', async (t) => {
  const scene = await openScene(engine, redis)
  const again = async (id: string) => orderReply(await scene.one('checkout', `1 ${id} {"name":"another"}`))
  const id = await scene.order('A=1')
  await scene.refuses(t, 'checkout', checkout(id), /^REPEATED /)
  t.match(await again(id), { state: 'awaiting_payment', deadline: at(600), customer: customerJson })
  t.match(await again(await scene.pending('p1', 'A=1')), { word: 'REPEATED', state: 'payment_pending' })
  const paid = await scene.paid('p2', 'A=1')
  await scene.refuses(t, 'checkout', checkout(paid), /^REPEATED [^\n]*\npaid /)
  const cancelled = await scene.order('A=1')
  await scene.one('cancel', `1 ${cancelled}`)
  t.match(await again(cancelled), { word: 'REPEATED', state: 'cancelled' })
  await scene.time(600)
  t.match(await again(id), { word: 'REPEATED', state: 'expired' })
  t.match(await engine.checkout(scene.cartId(paid), customer), { repeated: true, order: { status: 'paid' } })
  await scene.whole(t)
})

tap.test('an order keeps the price that it was made at, whatever becomes of the item’s', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.pending('p1', 'A=3')
  const stock = (await redis.hget(scene.key('stock'), 'A'))!
  await redis.hset(scene.key('stock'), 'A', stock.replace(' 2500 ', ' 9900 '))
  t.match(await scene.look(id), { total: 7_500, lines: 'A 3 2500 10 7 0' })
  t.match(await scene.settle(id, 'p1', 'succeeded', 7_500), { state: 'paid', total: 7_500, lines: /^A 3 2500 / })
  t.match((await redis.xrange(scene.key('outbox'), '-', '+'))[0]![1].join('\n'), /\nA=3=2500\n/, 'and so it comes to Postgres')
})

tap.test('one cart checked out twice in one batch is one order', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.cart('A=3')
  const replies = await scene.ask('checkout', checkout(id), checkout(id))
  t.strictSame(replies.map((reply) => orderReply(reply).word), ['OK', 'REPEATED'])
  t.match(await scene.counters('A'), { available: 7, inCarts: 0, inOrders: 3 })
  await scene.whole(t)
})

tap.test('an empty, lapsed or unknown cart becomes no order', async (t) => {
  const scene = await openScene(engine, redis)
  await scene.one('hold', 'C empty . .')
  const lapsed = await scene.cart('A=1')
  await scene.refuses(t, 'checkout', checkout('empty'), 'CART_EMPTY')
  await scene.refuses(t, 'checkout', checkout('nobody'), 'CART_NOT_FOUND')
  await scene.refuses(t, 'checkout', `2 ${lapsed} ${customerJson}`, 'CART_NOT_FOUND')
  await scene.one('hold', `S 1 ${lapsed} A 2`)
  await scene.time(600)
  t.equal(await scene.one('checkout', checkout(lapsed)), 'CART_EXPIRED')
  await scene.refuses(t, 'checkout', checkout(lapsed), 'CART_EXPIRED')
  t.match(await scene.counters('A'), { available: 10, inCarts: 0, inOrders: 0 })
  await scene.time(600 + 3_600)
  await scene.refuses(t, 'checkout', checkout(lapsed), 'CART_NOT_FOUND')
  await scene.whole(t)
})

tap.test('who holds units checks out although the sale has paused or ended', async (t) => {
  const scene = await openScene(engine, redis)
  const one = await scene.cart('A=1')
  const two = await scene.cart('A=1')
  await engine.control(scene.saleId, 'pause')
  t.match(await scene.one('checkout', checkout(one)), /^OK /)
  await engine.control(scene.saleId, 'end')
  t.match(await scene.one('checkout', checkout(two)), /^OK /)
  await scene.whole(t)
})

tap.test('where units are held at checkout, it takes all lines or none', async (t) => {
  const scene = await openScene(engine, redis, { holdAt: 'checkout', items: { A: 3, B: 5 } })
  const first = await scene.cart('A=2', 'B=1')
  const second = await scene.cart('A=2', 'B=1')
  t.equal(orderReply(await scene.one('checkout', checkout(first))).lines, 'A 2 2500 3 1 2 B 1 2500 5 4 1')
  t.match(await scene.counters('A'), { available: 1, inCarts: 2, inOrders: 2 })
  await scene.refuses(t, 'checkout', checkout(second), 'INSUFFICIENT - A 2 2500 3 1 2')
  await scene.cart('A=1')
  await scene.time(1)
  const order = await scene.order('A=1')
  await scene.refuses(t, 'checkout', checkout(second), `INSUFFICIENT ${at(600)} A 2 2500 3 0 4`)
  t.match(await engine.checkout(scene.cartId(second), customer), {
    refused: 'insufficient_stock',
    items: [{ sku: 'A', requested: 2, stock: { quantity: 3, available: 0, inOtherCarts: 4 }, soldOut: false, mayReturnAt: String }],
  })
  await scene.one('cancel', `1 ${order}`)
  await scene.one('cancel', `1 ${first}`)
  t.match(await scene.one('checkout', checkout(second)), /^OK /, 'the cart is still there to try again')
  await scene.whole(t)
})

tap.test('where units are held at checkout, a sale that is not open lets nobody check out', async (t) => {
  const scene = await openScene(engine, redis, { holdAt: 'checkout', startsAtMs: at(-60) })
  const id = await scene.cart('A=2')
  await engine.control(scene.saleId, 'pause')
  await scene.refuses(t, 'checkout', checkout(id), `SALE_NOT_OPEN ${at(-60)} ${at(0)}`)
  await engine.control(scene.saleId, 'end')
  await scene.refuses(t, 'checkout', checkout(id), 'SALE_ENDED')
})

tap.test('where units are held at checkout, 1,100 unpaid orders that lapse at once are the next order’s', async (t) => {
  const scene = await openScene(engine, redis, { holdAt: 'checkout', items: { A: 1_100 }, holdSeconds: 7_200, maxHoldSeconds: 7_200 })
  const waits = await scene.cart('A=1100')
  const ids = await scene.carts(1_100, 'A')
  for (let from = 0; from < 1_100; from += 100) await scene.ask('checkout', ...ids.slice(from, from + 100).map(checkout))
  t.match(await scene.counters('A'), { available: 0, inOrders: 1_100 })
  await scene.time(600)
  t.equal(await scene.one('checkout', checkout(waits)), 'MORE')
  t.match(await engine.checkout(scene.cartId(waits), customer), { order: { status: 'awaiting_payment' } })
  await scene.whole(t)
})

tap.test('a malformed checkout refuses itself only', async (t) => {
  const scene = await openScene(engine, redis)
  const id = await scene.cart('A=1')
  const epochs = notWhole.map((epoch) => `${epoch} ${id} ${customerJson}`).filter((request) => !/^\d+ /.test(request))
  const malformed = ['', '1', `1 ${id}`, `1 ${id} `, `1 ${id} name`, `1 ${id} {}\n{}`, ...epochs]
  const replies = await scene.ask('checkout', ...malformed, checkout(id))
  for (const [i, request] of malformed.entries()) t.equal(replies[i], 'INVALID', `"${request}"`)
  t.match(replies.at(-1), /^OK /)
})
