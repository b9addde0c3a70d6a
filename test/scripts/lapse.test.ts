import tap from 'tap'
import { freshEngine, moveTime } from '../redis.js'
import { at, customerJson, openScene, type Scene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

const expiry = (reply: string) => Number(/^OK open \S+ (\d+)/.exec(reply)?.[1])
const look = (scene: Scene, cart: string) => scene.one('read', `C 1 ${cart}`)

for (const holdAt of ['cart', 'checkout'] as const) {
  tap.test(`holdAt ${holdAt}: a cart that grows is held anew; one that shrinks, fails or changes nothing is not`, async (t) => {
    const scene = await openScene(engine, redis, { holdAt, items: { A: { allocation: 9, maxPerCart: 8 }, B: 9 } })
    const cart = await scene.cart('A=2')
    const set = (sku: string, quantity: number) => scene.one('hold', `S 1 ${cart} ${sku} ${quantity}`)
    await scene.time(100)
    t.equal(expiry(await set('A', 3)), at(700), 'it grew')
    await scene.time(200)
    t.equal(expiry(await set('B', 1)), at(800), 'it grew by another item')
    await scene.time(300)
    t.equal(expiry(await set('A', 2)), at(800), 'it shrank')
    t.equal(expiry(await set('A', 2)), at(800), 'nothing changed')
    t.equal(expiry(await set('B', 0)), at(800), 'a line went')
    t.match(await set('B', 10), /^INSUFFICIENT/)
    t.match(await set('A', 9), /^LIMIT/)
    t.equal(await set('A', 1e10), 'INVALID')
    t.equal(expiry(await look(scene, cart)), at(800), 'it failed')
    await scene.whole(t)
  })
}

tap.test('no growth holds units longer than the longest hold since the first unit', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 9 }, holdSeconds: 600, maxHoldSeconds: 900 })
  const cart = await scene.cart('A=1')
  const grow = (quantity: number) => scene.one('hold', `S 1 ${cart} A ${quantity}`)
  await scene.time(299)
  t.equal(expiry(await grow(2)), at(899))
  await scene.time(301)
  t.equal(expiry(await grow(3)), at(900))
  await grow(0)
  t.equal(expiry(await grow(3)), at(900), 'nor does emptying the cart begin it anew')
  await scene.time(899.999)
  t.equal(expiry(await grow(4)), at(900))
  await scene.time(900)
  t.equal(await grow(5), 'CART_EXPIRED')
  t.match(await scene.one('hold', 'C next . . A=9'), /^OK /)
})

tap.test('an empty cart lapses after it was made; the longest hold counts from its first unit', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 9 }, holdSeconds: 600, maxHoldSeconds: 700 })
  t.equal(await scene.one('hold', 'C lost . .'), `OK open lost ${at(600)} -`)
  t.equal(await scene.one('hold', 'C used . .'), `OK open used ${at(600)} -`)
  await scene.time(500)
  t.equal(expiry(await scene.one('hold', 'S 1 used A 1')), at(1_100))
  await scene.time(599.999)
  t.equal(await look(scene, 'lost'), `OK open lost ${at(600)} -`)
  await scene.time(600)
  t.equal(await look(scene, 'lost'), 'CART_EXPIRED')
  await scene.time(1_099)
  t.equal(expiry(await scene.one('hold', 'S 1 used A 2')), at(1_200), 'seven hundred seconds after the first unit')
})

tap.test('a hold lives to its last millisecond, and its units are the very next request’s', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1 } })
  await scene.cart('A=1')
  await scene.time(599.999)
  await scene.refuses(t, 'hold', 'C early . . A=1', `INSUFFICIENT ${at(600)} A 1 2500 1 0 1`)
  await scene.time(600)
  t.equal(await scene.one('hold', 'C next . . A=1'), `OK open next ${at(1_200)} ${at(1_200)} A 1 2500 1 0 0`)
  await scene.whole(t)
})

tap.test('a lapsed cart cannot be revived, not even by who comes first', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 5 } })
  const cart = await scene.cart('A=5')
  await scene.time(600)
  const replies = await scene.ask('hold', `S 1 ${cart} A 6`, `S 1 ${cart} A 4`, `S 1 ${cart} A 5`, `S 1 ${cart} A 0`, 'C next . . A=5')
  t.strictSame(replies.slice(0, 4), ['CART_EXPIRED', 'CART_EXPIRED', 'CART_EXPIRED', 'CART_EXPIRED'])
  t.match(replies[4], /^OK /)
  t.equal(await scene.one('checkout', `1 ${cart} ${customerJson}`), 'CART_EXPIRED')
  await scene.whole(t)
})

for (const count of [300, 3_000]) {
  tap.test(`${count} holds that lapse at once are all available to the very next request`, async (t) => {
    const scene = await openScene(engine, redis, { items: { A: count } })
    await scene.carts(count, 'A')
    await scene.time(600)
    const cart = await engine.createCart(scene.saleId, [{ sku: 'A', quantity: count }])
    t.match(cart, { status: 'open', items: [{ quantity: count, stock: { quantity: count, available: 0, inOtherCarts: 0 } }] })
    await scene.whole(t)
  })

  tap.test(`a look at an item counts ${count} holds that lapsed at once as gone`, async (t) => {
    const scene = await openScene(engine, redis, { items: { A: count } })
    await scene.carts(count, 'A')
    await scene.time(600)
    t.match(await engine.item(scene.saleId, 'A'), { stock: { quantity: count, available: count, inCarts: 0 }, mayReturnAt: null })
  })
}

tap.test('who asks for less than one call gives back is told of every unit that lapsed as well', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 3_000 } })
  await scene.carts(3_000, 'A')
  await scene.time(600)
  const cart = await engine.createCart(scene.saleId, [{ sku: 'A', quantity: 1_000 }])
  t.match(cart, { items: [{ stock: { quantity: 3_000, available: 2_000, inOtherCarts: 0 }, mayReturnAt: null }] })
})

tap.test('while lapsed holds lie before it, a request is told to come again: neither a false no nor a yes with numbers that are off', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 2_500, B: 1 } })
  await scene.carts(2_500, 'A')
  await scene.time(600)
  t.strictSame(await scene.ask('hold', 'C x . . A=2500', 'C z . . B=1'), ['MORE', 'MORE'])
  t.match(await scene.counters('A'), { available: 1_024 }, 'each call gives back what it may')
  t.equal(await scene.one('hold', 'C x . . A=2500'), 'MORE')
  t.match(await scene.one('hold', 'C x . . A=2500'), /^OK /)
  await scene.whole(t)
})

tap.test('carts, orders and pending payments that lapse together all come back', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 4 }, pendingSeconds: 600 })
  await scene.cart('A=1')
  await scene.order('A=1')
  await scene.pending('p1', 'A=1')
  await scene.time(600)
  t.match(await engine.createCart(scene.saleId, [{ sku: 'A', quantity: 4 }]), { status: 'open' })
  await scene.whole(t)
})

tap.test('a lapsed cart says so for an hour, and then is not found, whether or not anybody swept', async (t) => {
  const scene = await openScene(engine, redis)
  const quiet = await scene.cart('A=1')
  await scene.time(600)
  t.equal(await look(scene, quiet), 'CART_EXPIRED', 'before its units were given back')
  await scene.run('sweep')
  await scene.time(600 + 3_599.999)
  t.equal(await look(scene, quiet), 'CART_EXPIRED')
  t.equal(await scene.one('remove', `1 ${quiet}`), 'CART_EXPIRED')
  await scene.time(600 + 3_600)
  t.equal(await look(scene, quiet), 'CART_NOT_FOUND')
  t.equal(await scene.one('remove', `1 ${quiet}`), 'CART_NOT_FOUND')
  await scene.run('sweep')
  t.equal(await redis.hlen(scene.key('carts')), 0, 'and then it is forgotten')
  t.equal(await look(scene, quiet), 'CART_NOT_FOUND')
})

tap.test('time moves on with the sale’s own offset', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1 }, holdSeconds: 60, maxHoldSeconds: 60 })
  await redis.hdel(scene.key('policy'), 'clock')
  await scene.cart('A=1')
  await moveTime(redis, scene.saleId, 59_000)
  t.match(await scene.one('hold', 'C x . . A=1'), /^INSUFFICIENT/)
  await moveTime(redis, scene.saleId, 1_000)
  t.match(await scene.one('hold', 'C x . . A=1'), /^OK /)
})

tap.test('when the server’s clock is set back, a hold that has lapsed does not live again', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 2 } })
  await redis.hdel(scene.key('policy'), 'clock')
  const cart = await scene.cart('A=1')
  await moveTime(redis, scene.saleId, 600_000)
  t.match(await scene.one('hold', 'C next . . A=1'), /^OK /, 'a write keeps the time that it has seen')
  await moveTime(redis, scene.saleId, -86_400_000)
  t.equal(await look(scene, cart), 'CART_EXPIRED')
  t.equal(await scene.one('hold', `S 1 ${cart} A 1`), 'CART_EXPIRED')
})
