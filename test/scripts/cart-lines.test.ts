import tap from 'tap'
import { freshEngine } from '../redis.js'
import { at, customerJson, openScene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

tap.test('a line is set, grown, shrunk and removed, and every answer tells the live numbers', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10, B: 5 } })
  const other = await scene.cart('A=2')
  const cart = await scene.cart('A=1')
  const set = (sku: string, quantity: number) => scene.one('hold', `S 1 ${cart} ${sku} ${quantity}`)
  t.equal(await set('B', 5), `OK open ${cart} ${at(600)} ${'-'} A 1 2500 10 7 2 B 5 2500 5 0 0`.replace(' - ', ` ${at(600)} `))
  t.equal(await set('A', 4), `OK open ${cart} ${at(600)} ${at(600)} A 4 2500 10 4 2 B 5 2500 5 0 0`)
  t.equal(await set('B', 2), `OK open ${cart} ${at(600)} - A 4 2500 10 4 2 B 2 2500 5 3 0`)
  t.equal(await set('A', 0), `OK open ${cart} ${at(600)} - B 2 2500 5 3 0`)
  t.equal(await scene.one('remove', `1 ${other}`), 'OK')
  t.match(await scene.counters('A'), { available: 10, inCarts: 0 })
  await scene.whole(t)
})

tap.test('setting a line again, or removing what is not there, changes nothing and is no error', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10, B: 5 } })
  const cart = await scene.cart('A=3')
  await scene.time(10)
  await scene.refuses(t, 'hold', `S 1 ${cart} A 3`, `OK open ${cart} ${at(600)} - A 3 2500 10 7 0`)
  await scene.refuses(t, 'hold', `S 1 ${cart} B 0`, `OK open ${cart} ${at(600)} - A 3 2500 10 7 0`)
})

tap.test('a line that cannot grow stays as it was; the customer’s own units are not counted against them', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10 } })
  const cart = await scene.cart('A=6')
  await scene.cart('A=3')
  await scene.refuses(t, 'hold', `S 1 ${cart} A 8`, 'INSUFFICIENT - A 8 2500 10 1 3')
  t.match(await scene.one('hold', `S 1 ${cart} A 7`), /^OK /, 'what it has and what is left')
  await scene.refuses(t, 'hold', `S 1 ${cart} A 8`, `INSUFFICIENT ${at(600)} A 8 2500 10 0 3`)
})

tap.test('a line never grows past what one cart may have, but may shrink to it', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: { allocation: 10, maxPerCart: 3 }, B: 1 } })
  const cart = await scene.cart('A=3', 'B=1')
  await scene.refuses(t, 'hold', `S 1 ${cart} A 4`, 'LIMIT A 4 3')
  await scene.refuses(t, 'hold', `S 1 ${cart} A 999`, 'LIMIT A 999 3')
  t.match(await scene.one('hold', `S 1 ${cart} A 2`), /^OK /)
})

tap.test('who holds may shrink a cart and give it back while the sale is paused, and after it has ended', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10 } })
  const cart = await scene.cart('A=5')
  const other = await scene.cart('A=1')
  await engine.control(scene.saleId, 'pause')
  t.match(await scene.one('hold', `S 1 ${cart} A 3`), /^OK open/)
  t.match(await scene.one('hold', `S 1 ${cart} A 3`), /^OK open/, 'the same again')
  await engine.control(scene.saleId, 'end')
  t.match(await scene.one('hold', `S 1 ${cart} A 2`), /^OK open/)
  t.equal(await scene.one('remove', `1 ${other}`), 'OK')
  t.match(await scene.counters('A'), { available: 8, inCarts: 2 })
  await scene.whole(t)
})

tap.test('a cart that nobody made, or that was given back, is not found; nor is an unknown item in it', async (t) => {
  const scene = await openScene(engine, redis)
  const cart = await scene.cart('A=1')
  await scene.refuses(t, 'hold', 'S 1 nobody A 1', 'CART_NOT_FOUND')
  await scene.refuses(t, 'remove', '1 nobody', 'CART_NOT_FOUND')
  await scene.refuses(t, 'hold', `S 1 ${cart} nope 1`, 'ITEM_NOT_FOUND')
  t.equal(await scene.one('remove', `1 ${cart}`), 'OK')
  await scene.refuses(t, 'hold', `S 1 ${cart} A 1`, 'CART_NOT_FOUND')
  await scene.refuses(t, 'remove', `1 ${cart}`, 'CART_NOT_FOUND')
})

tap.test('a cart that became an order can no longer be changed; once that is paid, it is gone', async (t) => {
  const scene = await openScene(engine, redis)
  const cart = await scene.pending('p1', 'A=2')
  await scene.refuses(t, 'hold', `S 1 ${cart} A 1`, 'CART_CHECKED_OUT')
  await scene.refuses(t, 'remove', `1 ${cart}`, 'CART_CHECKED_OUT')
  await scene.settle(cart, 'p1', 'succeeded')
  await scene.refuses(t, 'hold', `S 1 ${cart} A 1`, 'CART_NOT_FOUND')
  await scene.refuses(t, 'remove', `1 ${cart}`, 'CART_NOT_FOUND')
})

tap.test('a cart whose order lapsed or was cancelled has expired', async (t) => {
  const scene = await openScene(engine, redis)
  const cancelled = await scene.order('A=1')
  const lapsed = await scene.order('A=1')
  await scene.one('cancel', `1 ${cancelled}`)
  await scene.refuses(t, 'hold', `S 1 ${cancelled} A 2`, 'CART_EXPIRED')
  await scene.time(600)
  t.equal(await scene.one('hold', `S 1 ${lapsed} A 2`), 'CART_EXPIRED')
  await scene.time(600 + 3_600)
  t.equal(await scene.one('hold', `S 1 ${lapsed} A 2`), 'CART_NOT_FOUND')
  await scene.whole(t)
})

tap.test('ids of an earlier epoch have expired, those of a later one were never given', async (t) => {
  const scene = await openScene(engine, redis)
  const cart = await scene.cart('A=1')
  const order = await scene.order('A=1')
  await redis.hset(scene.key('policy'), 'epoch', 2)
  for (const request of [`S 1 ${cart} A 2`, `S 1 ${order} A 2`]) await scene.refuses(t, 'hold', request, 'CART_EXPIRED')
  await scene.refuses(t, 'remove', `1 ${cart}`, 'CART_EXPIRED')
  await scene.refuses(t, 'hold', `S 3 ${cart} A 2`, 'CART_NOT_FOUND')
  await scene.refuses(t, 'read', `C 1 ${cart}`, 'CART_EXPIRED')
  await scene.refuses(t, 'read', `O 1 ${order}`, 'ORDER_NOT_FOUND')
  await scene.refuses(t, 'checkout', `1 ${cart} ${customerJson}`, 'CART_EXPIRED')
  await scene.refuses(t, 'begin', `1 ${order} p1`, 'ORDER_NOT_FOUND')
  await scene.refuses(t, 'cancel', `1 ${order}`, 'ORDER_NOT_FOUND')
  t.match(await scene.one('hold', `S 2 ${cart} A 2`), /^OK open/)
})

tap.test('one cart that comes many times in a batch is decided step by step', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 5, B: 5 } })
  const replies = await scene.ask(
    'hold',
    'C mine . . A=2', 'S 1 mine A 5', 'S 1 mine A 6', 'C other . . A=1', 'S 1 mine A 4', 'C other . . A=1',
    'S 1 mine B 2', 'S 1 mine A 0', 'S 1 mine B 0', 'C last . . A=4 B=5',
  )
  t.strictSame(replies, [
    `OK open mine ${at(600)} - A 2 2500 5 3 0`,
    `OK open mine ${at(600)} ${at(600)} A 5 2500 5 0 0`,
    `INSUFFICIENT ${at(600)} A 6 2500 5 0 0`,
    `INSUFFICIENT ${at(600)} A 1 2500 5 0 5`,
    `OK open mine ${at(600)} - A 4 2500 5 1 0`,
    `OK open other ${at(600)} ${at(600)} A 1 2500 5 0 4`,
    `OK open mine ${at(600)} ${at(600)} A 4 2500 5 0 1 B 2 2500 5 3 0`,
    `OK open mine ${at(600)} - B 2 2500 5 3 0`,
    `OK open mine ${at(600)} -`,
    `OK open last ${at(600)} ${at(600)} A 4 2500 5 0 1 B 5 2500 5 0 0`,
  ])
  await scene.whole(t)
})

tap.test('many customers in one turn of the event loop share the last units, one by one, and none gets what is not there', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 40 } })
  const carts = await Promise.all(Array.from({ length: 300 }, () => engine.createCart(scene.saleId, [{ sku: 'A', quantity: 1 }])))
  t.equal(carts.filter((cart) => 'cartId' in cart).length, 40)
  t.match(await scene.counters('A'), { available: 0, inCarts: 40 })
  await scene.whole(t)
})
