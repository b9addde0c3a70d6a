import tap from 'tap'
import { isRefusal } from '../../src/problems.js'
import { dump, freshEngine, publishSale } from '../redis.js'
import { at, customerJson, notWhole, openScene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

tap.test('a new cart takes all that it asks for, and says what is left of each item', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10, B: { allocation: 3, unitAmount: 100 } } })
  t.equal(
    await scene.one('hold', 'C first . . B=2 A=4'),
    `OK open first ${at(600)} - B 2 100 3 1 0 A 4 2500 10 6 0`,
  )
  t.equal(await scene.one('hold', 'C second . . A=1'), `OK open second ${at(600)} - A 1 2500 10 5 4`)
  t.match(await scene.counters('A'), { available: 5, inCarts: 5, inOrders: 0, sold: 0 })
  await scene.whole(t)
})

tap.test('lines of one item are summed, in the order in which the items came', async (t) => {
  const { saleId } = await publishSale(engine, { items: { A: 10, B: 10 } })
  const cart = await engine.createCart(saleId, [{ sku: 'B', quantity: 1 }, { sku: 'A', quantity: 2 }, { sku: 'B', quantity: 3 }])
  t.match(cart, { items: [{ sku: 'B', quantity: 4 }, { sku: 'A', quantity: 2 }], total: { amount: 15_000, currency: 'USD' } })
})

tap.test('lines that sum up to more than a request may name are refused, not a fault', async (t) => {
  const { saleId } = await publishSale(engine)
  const cart = await engine.createCart(saleId, [{ sku: 'A', quantity: 1e9 }, { sku: 'A', quantity: 1 }])
  t.ok(isRefusal(cart))
})

tap.test('a cart that cannot have every line takes none, and hears of every short line', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 10, B: 2, C: 0 } })
  await scene.cart('B=2')
  await scene.refuses(t, 'hold', 'C x . . A=11 B=1 C=1', `INSUFFICIENT ${at(600)} A 11 2500 10 10 0 B 1 2500 2 0 2 C 1 2500 0 0 0`)
  t.match(await engine.createCart(scene.saleId, [{ sku: 'A', quantity: 10 }, { sku: 'B', quantity: 1 }, { sku: 'C', quantity: 1 }]), {
    refused: 'insufficient_stock',
    items: [
      { sku: 'B', requested: 1, stock: { quantity: 2, available: 0, inOtherCarts: 2 }, soldOut: false, mayReturnAt: new Date(at(600)).toISOString() },
      { sku: 'C', requested: 1, stock: { quantity: 0, available: 0, inOtherCarts: 0 }, soldOut: true, mayReturnAt: null },
    ],
  })
})

tap.test('an item is sold out only when its last unit is paid for', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1 } })
  const order = await scene.pending('p1', 'A=1')
  const short = async () => {
    const refusal = await engine.createCart(scene.saleId, [{ sku: 'A', quantity: 1 }])
    return isRefusal(refusal) && refusal.refused === 'insufficient_stock' ? refusal.items[0] : null
  }
  t.match(await short(), { soldOut: false, mayReturnAt: String })
  await scene.settle(order, 'p1', 'succeeded')
  t.match(await short(), { soldOut: true, mayReturnAt: null, stock: { quantity: 0, available: 0, inOtherCarts: 0 } })
})

tap.test('units may return when the first hold of the sale can lapse, to the millisecond', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1, B: 5 } })
  await scene.time(-7)
  await scene.cart('B=1')
  await scene.time(0)
  const holder = await scene.cart('A=1')
  const returns = async () => /^INSUFFICIENT (\S+)/.exec(await scene.one('hold', 'C x . . A=1'))?.[1]
  t.equal(await returns(), String(at(593)), 'the other item’s hold lapses first')
  await scene.time(593)
  t.equal(await returns(), String(at(600)), 'when that has lapsed, the next is the first')
  await scene.one('checkout', `1 ${holder} ${customerJson}`)
  t.equal(await returns(), String(at(593 + 600)), 'an unpaid order can lapse as well')
})

tap.test('within one batch, too, units may return when the first hold can lapse', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1, B: 99 } })
  await scene.time(-60)
  const early = await scene.carts(40, 'B')
  await scene.time(0)
  const renewed = early.map((id) => `S 1 ${id} B 2`)
  const replies = await scene.ask('hold', 'C a . . A=1', 'C x . . A=1', ...renewed.slice(0, 39), 'C x . . A=1', renewed[39]!, 'C x . . A=1')
  t.equal(replies[1]!.split(' ')[1], String(at(540)))
  t.equal(replies[41]!.split(' ')[1], String(at(540)))
  t.equal(replies[43]!.split(' ')[1], String(at(600)))
})

tap.test('a cart that one batch makes may be the first to lapse, and no longer once it is empty', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1, B: 9 }, paymentSeconds: 900, pendingSeconds: 900 })
  await scene.order('A=1')
  // Whoever asks for the same is answered together, so each asks for more.
  const short = (units: number) => `C x . . A=${units}`
  const replies = await scene.ask('hold', short(1), 'C mine . . B=1', short(2), 'S 1 mine B 0', short(3), 'C other . . B=2', short(4))
  const returns = [0, 2, 4, 6].map((i) => Number(replies[i]!.split(' ')[1]))
  t.strictSame(returns, [at(900), at(600), at(900), at(600)])
  await scene.whole(t)
  t.strictSame(await redis.zrange(scene.key('deadlines'), 0, String(at(600)), 'BYSCORE'), ['other'])
})

tap.test('in one batch whoever takes the last unit is told when others may return, and nobody before', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 3 } })
  t.strictSame(await scene.ask('hold', 'C a . . A=1', 'C b . . A=1', 'C c . . A=1'), [
    `OK open a ${at(600)} - A 1 2500 3 2 0`,
    `OK open b ${at(600)} - A 1 2500 3 1 1`,
    `OK open c ${at(600)} ${at(600)} A 1 2500 3 0 2`,
  ])
})

tap.test('those who ask for the same in one batch are decided together, in their turn at the item, and each is told what is its own', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 9, B: 9 } })
  const until = at(600)
  t.strictSame(await scene.ask('hold', 'C a . . A=1', 'C b . . B=2', 'C c . . A=1', 'C d . . B=2 A=1', 'C x . . C=1', 'C e . . A=1', 'C f . . B=2 A=1', 'C y . . C=1'), [
    `OK open a ${until} - A 1 2500 9 8 0`,
    `OK open b ${until} - B 2 2500 9 7 0`,
    `OK open c ${until} - A 1 2500 9 7 1`,
    `OK open d ${until} - B 2 2500 9 5 2 A 1 2500 9 6 2`,
    'ITEM_NOT_FOUND',
    `OK open e ${until} - A 1 2500 9 5 3`,
    `OK open f ${until} - B 2 2500 9 3 4 A 1 2500 9 4 4`,
    'ITEM_NOT_FOUND',
  ])
  for (const id of ['a', 'c', 'e']) t.match(await scene.one('read', `C 1 ${id}`), `OK open ${id} ${until} - A 1 2500 9 4 4`)
  await scene.whole(t)
})

tap.test('of carts that are alike as many are made as the scarcest of their lines allows', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 9, B: 5 } })
  const until = at(600)
  t.strictSame(await scene.ask('hold', ...['a', 'b', 'c', 'd'].map((id) => `C ${id} . . A=1 B=2`)), [
    `OK open a ${until} - A 1 2500 9 8 0 B 2 2500 5 3 0`,
    `OK open b ${until} - A 1 2500 9 7 1 B 2 2500 5 1 2`,
    'INSUFFICIENT - B 2 2500 5 1 4',
    'INSUFFICIENT - B 2 2500 5 1 4',
  ])
  await scene.whole(t)
})

tap.test('where units are held from the checkout on, a cart takes none from those that come with it', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 2 }, holdAt: 'checkout' })
  t.strictSame(await scene.ask('hold', ...['a', 'b', 'c'].map((id) => `C ${id} . . A=1`)), [
    `OK open a ${at(600)} - A 1 2500 2 2 0`,
    `OK open b ${at(600)} - A 1 2500 2 2 1`,
    `OK open c ${at(600)} - A 1 2500 2 2 2`,
  ])
  await scene.whole(t)
})

tap.test('nothing lapses sooner than units may return, a declined payment of an overdue order included', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1 }, paymentSeconds: 600, pendingSeconds: 900 })
  const order = await scene.order('A=1')
  await scene.time(599)
  await scene.one('begin', `1 ${order} p1`)
  const returns = Number(/^INSUFFICIENT (\S+)/.exec(await scene.one('hold', 'C x . . A=1'))?.[1])
  await scene.time(700)
  await scene.settle(order, 'p1', 'declined')
  t.match(await scene.one('hold', 'C y . . A=1'), /^OK /)
  t.ok(returns <= at(700), 'the unit came back no sooner than was said')
})

tap.test('no cart gets more of an item than one may have, and hears of it before any shortage', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: { allocation: 5, maxPerCart: 2 }, B: { allocation: 1, maxPerCart: 1 }, C: 1 } })
  await scene.refuses(t, 'hold', 'C x . . A=3 B=2 C=9', 'LIMIT A 3 2 B 2 1')
  t.match(await scene.one('hold', 'C x . . A=2 B=1'), /^OK /)
})

tap.test('an item that the sale does not have is not found', async (t) => {
  const scene = await openScene(engine, redis)
  await scene.refuses(t, 'hold', 'C x . . A=1 nope=1', 'ITEM_NOT_FOUND')
})

tap.test('a sale that nobody published is not known', async (t) => {
  const scene = await openScene(engine, redis)
  await redis.del(scene.key('policy'))
  t.equal(await scene.run('hold', 1, 'x', 'C . . A=1', 1), 'NO_SALE')
})

tap.test('a cart has a hundred lines and no more', async (t) => {
  const skus = Array.from({ length: 101 }, (_, i) => `s${i}`)
  const scene = await openScene(engine, redis, { items: Object.fromEntries(skus.map((sku) => [sku, 5])) })
  const lines = skus.map((sku) => `${sku}=1`)
  await scene.refuses(t, 'hold', `C x . . ${lines.join(' ')}`, 'LINES')
  t.match(await scene.one('hold', `C full . . ${lines.slice(0, 100).join(' ')}`), /^OK /)
  await scene.refuses(t, 'hold', 'S 1 full s100 1', 'LINES')
  t.match(await scene.one('hold', 'S 1 full s99 2'), /^OK /, 'a line that is there may grow')
  await scene.whole(t)
})

tap.test('the total of a cart stays below 2^53', async (t) => {
  const most = Number.MAX_SAFE_INTEGER
  const scene = await openScene(engine, redis, { items: { A: { unitAmount: most }, B: { unitAmount: 1 }, C: { unitAmount: 0 } } })
  await scene.refuses(t, 'hold', 'C x . . A=1 B=1', 'TOTAL')
  await scene.refuses(t, 'hold', 'C x . . A=2', 'TOTAL')
  t.match(await scene.one('hold', 'C most . . A=1 C=3'), /^OK /)
  await scene.refuses(t, 'hold', 'S 1 most B 1', 'TOTAL')
  await scene.refuses(t, 'hold', 'S 1 most A 2', 'TOTAL')
})

tap.test('a sale that is not open gives nothing out; an empty cart can be had', async (t) => {
  const scene = await openScene(engine, redis, { startsAtMs: at(100), endsAtMs: at(200) })
  await scene.refuses(t, 'hold', 'C x . . A=1', `SALE_NOT_OPEN ${at(100)} ${at(0)}`)
  t.equal(await scene.one('hold', 'C empty . .'), `OK open empty ${at(600)} -`)
  t.match(await engine.createCart(scene.saleId, []), { status: 'open', items: [], total: { amount: 0, currency: 'USD' }, orderId: null })
  await scene.refuses(t, 'hold', 'S 1 empty A 1', `SALE_NOT_OPEN ${at(100)} ${at(0)}`)
  await scene.time(100)
  t.match(await scene.one('hold', 'C early . . A=3'), /^OK /, 'open from the very start')
  await engine.control(scene.saleId, 'pause')
  await scene.refuses(t, 'hold', 'C x . . A=1', `SALE_NOT_OPEN ${at(100)} ${at(100)}`)
  await scene.refuses(t, 'hold', 'S 1 early A 4', `SALE_NOT_OPEN ${at(100)} ${at(100)}`)
  await engine.control(scene.saleId, 'resume')
  await scene.time(199.999)
  t.match(await scene.one('hold', 'S 1 early A 4'), /^OK /)
  await scene.time(200)
  await scene.refuses(t, 'hold', 'C x . . A=1', 'SALE_ENDED')
  await scene.refuses(t, 'hold', 'S 1 early A 5', 'SALE_ENDED')
})

tap.test('an empty cart can be had at any time, and keeps no sale from closing; it is forgotten like any other', async (t) => {
  const scene = await openScene(engine, redis)
  const emptied = await scene.cart('A=1')
  t.match(await scene.one('hold', `S 1 ${emptied} A 0`), /^OK open/)
  await engine.control(scene.saleId, 'end')
  t.equal(await scene.one('hold', 'C late . .'), `OK open late ${at(600)} -`)
  await scene.whole(t)
  t.equal(await scene.run('close'), 'CLOSED')
  await scene.time(600)
  t.equal(await scene.one('read', 'C 1 late'), 'CART_EXPIRED')
  await scene.time(600 + 3_600)
  t.equal(await scene.run('sweep'), 'DONE')
  t.equal(await redis.exists(scene.key('carts'), scene.key('retention')), 0)
})

tap.test('an empty cart that is filled lapses with its units, and not before', async (t) => {
  const scene = await openScene(engine, redis)
  const cart = await scene.cart()
  await scene.time(500)
  t.match(await scene.one('hold', `S 1 ${cart} A 2`), /^OK open/)
  t.equal(await redis.zcard(scene.key('retention')), 0)
  await scene.time(1_099)
  t.match(await scene.one('read', `C 1 ${cart}`), /^OK open/)
  await scene.time(1_100)
  t.equal(await scene.one('read', `C 1 ${cart}`), 'CART_EXPIRED')
  t.match(await scene.one('hold', 'C next . . A=10'), /^OK open/)
  await scene.whole(t)
})

tap.test('an empty cart that is given back leaves nothing', async (t) => {
  const scene = await openScene(engine, redis)
  const before = await dump(redis)
  const cart = await scene.cart()
  t.equal(await scene.one('remove', `1 ${cart}`), 'OK')
  t.strictSame(await dump(redis), before)
})

tap.test('where units are held at checkout, a cart only counts its interest, which may exceed what is left', async (t) => {
  const scene = await openScene(engine, redis, { holdAt: 'checkout', items: { A: 3 } })
  t.equal(await scene.one('hold', 'C a . . A=3'), `OK open a ${at(600)} - A 3 2500 3 3 0`)
  t.equal(await scene.one('hold', 'C b . . A=2'), `OK open b ${at(600)} - A 2 2500 3 3 3`)
  t.equal(await scene.one('hold', 'S 1 b A 3'), `OK open b ${at(600)} - A 3 2500 3 3 3`)
  await scene.refuses(t, 'hold', 'S 1 b A 4', 'INSUFFICIENT - A 4 2500 3 3 3')
  await scene.refuses(t, 'hold', 'C c . . A=4', 'INSUFFICIENT - A 4 2500 3 3 6')
  t.match(await scene.counters('A'), { available: 3, inCarts: 6 })
  await scene.whole(t)
})

tap.test('carts of one batch that say the same are each decided for themselves, whatever comes between them', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: { allocation: 5, maxPerCart: 2 }, B: 5 } })
  const ask = ['a . . A=2', 'b . . A=2', 'c . . B=1 A=1', 'd . . A=2', 'e . . A=3', 'f . . A=3', 'g . . Z=1', 'h . . Z=1', 'i . . B=1', 'j . . B=1', 'i2 key print B=1', 'i3 key print B=1']
  t.strictSame(await scene.ask('hold', ...ask.map((words) => `C ${words}`)), [
    `OK open a ${at(600)} - A 2 2500 5 3 0`,
    `OK open b ${at(600)} - A 2 2500 5 1 2`,
    `OK open c ${at(600)} ${at(600)} B 1 2500 5 4 0 A 1 2500 5 0 4`,
    `INSUFFICIENT ${at(600)} A 2 2500 5 0 5`,
    'LIMIT A 3 2', 'LIMIT A 3 2', 'ITEM_NOT_FOUND', 'ITEM_NOT_FOUND',
    `OK open i ${at(600)} - B 1 2500 5 3 1`,
    `OK open j ${at(600)} - B 1 2500 5 2 2`,
    `OK open i2 ${at(600)} - B 1 2500 5 1 3`,
    `OK open i2 ${at(600)} - B 1 2500 5 1 3`,
  ])
  t.match(await scene.counters('A'), { available: 0, inCarts: 5 })
  await scene.whole(t)
})

tap.test('what is not a whole number refuses itself only', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1_000 } })
  const mine = await scene.cart('A=1')
  for (const number of [...notWhole, '0', '1000000001']) {
    const replies = await scene.ask('hold', `C x${number} . . A=${number}`, `C y${number} . . A=1`)
    t.equal(replies[0], 'INVALID', `a new line of ${number}`)
    t.match(replies[1], /^OK /)
  }
  const before = await scene.counters('A')
  for (const number of [...notWhole, '1000000001']) {
    t.equal(await scene.one('hold', `S 1 ${mine} A ${number}`), 'INVALID', `a line set to ${number}`)
  }
  t.strictSame(await scene.counters('A'), before)
  await scene.whole(t)
})

tap.test('what is malformed refuses itself only, wherever it stands in a batch', async (t) => {
  const scene = await openScene(engine, redis)
  const malformed = ['', 'C', 'C x', 'C x -', 'C x . . A', 'C x . . A=', 'C x . . =1', 'C x . . A=1=1', 'C x . . A=1;B=1', 'X 1 y', 'S 1 y A', 'S a y A 1', 'S 1 y A 1 z']
  const replies = await scene.ask('hold', 'C a . . A=1', ...malformed, 'C b . . A=1')
  t.match(replies[0], /^OK /)
  for (const [i, request] of malformed.entries()) t.equal(replies[i + 1], 'INVALID', `"${request}"`)
  t.match(replies.at(-1), /^OK /)
  await scene.whole(t)
})

tap.test('a request that names an item twice refuses itself only, even where each line alone would fit', async (t) => {
  const scene = await openScene(engine, redis, { items: { A: 1 } })
  const replies = await scene.ask('hold', 'C twice . . A=1 A=1', 'C once . . A=1').catch((error: Error) => [error.message])
  t.equal(replies[0], 'INVALID')
  t.match(replies[1], /^OK /)
})

tap.test('a malformed request is told so before it is told that an item is unknown', async (t) => {
  const scene = await openScene(engine, redis)
  await scene.refuses(t, 'hold', 'C x . . nope=1 A=1e3', 'INVALID')
})
