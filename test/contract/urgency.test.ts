import tap from 'tap'
import { refused } from './refused.js'
import { newId, openShop, timeAt, usd } from './shop.js'

const shop = await openShop(tap)

void tap.test('the second customer sees the first one’s units in other carts, and never its own', async (t) => {
  const saleId = await shop.publish()
  const first = await shop.cart(saleId, { A: 3 })
  t.strictSame(first.items[0]!.stock, { quantity: 10, available: 7, inOtherCarts: 0 })
  const second = await shop.cart(saleId, { A: 2 })
  t.strictSame(second.items[0]!.stock, { quantity: 10, available: 5, inOtherCarts: 3 })
  t.strictSame((await shop.look(first.cartId)).body.items[0]!.stock, { quantity: 10, available: 5, inOtherCarts: 2 })
  t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 10, available: 5, inCarts: 5 })
  refused(t, await shop.set(second.cartId, 'A', 8), 'insufficient_stock', {
    items: [{ sku: 'A', requested: 8, stock: { quantity: 10, available: 5, inOtherCarts: 3 }, soldOut: false, mayReturnAt: null }],
  })

  const order = (await shop.checkout(first.cartId)).body
  t.strictSame(order.items[0]!.stock, { quantity: 10, available: 5, inOtherCarts: 2 }, 'an unpaid order’s own units are not others’')
  t.strictSame((await shop.look(second.cartId)).body.items[0]!.stock, { quantity: 10, available: 5, inOtherCarts: 3 }, 'and still hold for others')
  const paid = (await shop.pay(order.orderId)).body
  t.strictSame(paid.items[0]!.stock, { quantity: 7, available: 5, inOtherCarts: 2 }, 'what is paid for is nobody’s any more')
  t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 7, available: 5, inCarts: 2 })
})

void tap.test('whoever takes the same as many others at that moment is told numbers of their own', async (t) => {
  const sku = newId('sku')
  // As if it were a part of an answer.
  const name = '"available":1,"inOtherCarts":2} \\"available":3,"inOtherCarts":4,{"cartId":"'
  t.equal((await shop.operator('PUT', `/items/${sku}`, { name, description: name, price: usd(700), quantity: 100 })).status, 201)
  const saleId = await shop.publish({ items: { [sku]: 40, B: 100 }, lowStockAt: 20 })
  await shop.at(saleId, 0)
  const answers = await Promise.all(Array.from({ length: 25 }, () => shop.take(saleId, { [sku]: 2, B: 3 })))
  const taken = answers.filter(({ status }) => status === 201).toSorted((a, b) => b.body.items[0]!.stock!.available - a.body.items[0]!.stock!.available)
  t.equal(new Set(taken.map(({ body }) => body.cartId)).size, 20)
  taken.forEach(({ body, header }, before) => {
    const { cartId } = body
    const [left, leftOfB] = [38 - 2 * before, 97 - 3 * before]
    t.strictSame(body, {
      cartId, saleId, status: 'open', expiresAt: timeAt(600), total: usd(8_900), orderId: null,
      items: [
        { sku, name, quantity: 2, unitPrice: usd(700), lineTotal: usd(1_400), stock: { quantity: 40, available: left, inOtherCarts: 2 * before },
          lowStock: left <= 20, mayReturnAt: left === 0 ? timeAt(600) : null },
        { sku: 'B', name: 'Item B', quantity: 3, unitPrice: usd(2_500), lineTotal: usd(7_500), stock: { quantity: 100, available: leftOfB, inOtherCarts: 3 * before },
          lowStock: false, mayReturnAt: null },
      ],
    })
    t.equal(header('location'), `/v1/carts/${cartId}`)
    t.equal(header('content-type'), 'application/json; charset=utf-8')
  })
  for (const answer of answers.filter(({ status }) => status !== 201)) {
    refused(t, answer, 'insufficient_stock', {
      items: [{ sku, requested: 2, stock: { quantity: 40, available: 0, inOtherCarts: 40 }, soldOut: false, mayReturnAt: timeAt(600) }],
    })
  }
  t.strictSame((await shop.look(taken[7]!.body.cartId)).body.items[0]!.stock, { quantity: 40, available: 0, inOtherCarts: 38 })
})

void tap.test('stock is low at the sale’s own mark, and from there on', async (t) => {
  const saleId = await shop.publish({ items: { A: 10 }, lowStockAt: 3 })
  const cart = await shop.cart(saleId, { A: 6 })
  t.equal(cart.items[0]!.lowStock, false)
  for (const [quantity, low] of [[7, true], [8, true], [10, true], [6, false]] as const) {
    t.equal((await shop.set(cart.cartId, 'A', quantity)).body.items[0]!.lowStock, low)
    t.equal((await shop.item(saleId, 'A')).lowStock, low, `with ${10 - quantity} available`)
  }
})

void tap.test('with nothing available, the earliest end of a hold is told', async (t) => {
  const saleId = await shop.publish({ items: { A: 2, B: 1 }, holdSeconds: 100 })
  await shop.at(saleId, 0)
  await shop.cart(saleId, { B: 1 })
  await shop.at(saleId, 10)
  const first = await shop.cart(saleId, { A: 1 })
  t.equal(first.items[0]!.mayReturnAt, null, 'one can still be had')
  await shop.at(saleId, 30)
  const second = await shop.cart(saleId, { A: 1 })
  // The hold of B is the first of the sale to lapse: nothing lapses sooner.
  t.equal(second.items[0]!.mayReturnAt, timeAt(100))
  t.equal((await shop.item(saleId, 'A')).mayReturnAt, timeAt(100))
  t.equal((await shop.sale(saleId)).items![0]!.mayReturnAt, timeAt(100))
  refused(t, await shop.take(saleId, { A: 1 }), 'insufficient_stock', {
    items: [{ sku: 'A', requested: 1, stock: { quantity: 2, available: 0, inOtherCarts: 2 }, soldOut: false, mayReturnAt: timeAt(100) }],
  })
  await shop.at(saleId, 101)
  t.equal((await shop.item(saleId, 'A')).mayReturnAt, timeAt(110), 'once that has lapsed, the next')
  await shop.at(saleId, 111)
  t.equal((await shop.item(saleId, 'A')).mayReturnAt, null, 'what has come back need not be waited for')
})

void tap.test('an unpaid order’s units may return when its payment is due', async (t) => {
  const saleId = await shop.publish({ items: { A: 1 }, paymentSeconds: 70, pendingSeconds: 200 })
  await shop.at(saleId, 0)
  const order = await shop.order(saleId, { A: 1 })
  t.equal((await shop.item(saleId, 'A')).mayReturnAt, timeAt(70))
  t.equal((await shop.pay(order.orderId, 'tok_pending')).status, 202)
  t.equal((await shop.item(saleId, 'A')).mayReturnAt, timeAt(70), 'declined, it would lapse when it was due')
  await shop.at(saleId, 71)
  t.equal((await shop.item(saleId, 'A')).mayReturnAt, timeAt(200), 'pending, it holds on')
})

void tap.test('sold out is only what is neither available nor held', async (t) => {
  const saleId = await shop.publish({ items: { A: 1 } })
  await shop.at(saleId, 0)
  const order = await shop.order(saleId)
  const short = { sku: 'A', requested: 1 }
  refused(t, await shop.take(saleId, { A: 1 }), 'insufficient_stock', {
    items: [{ ...short, stock: { quantity: 1, available: 0, inOtherCarts: 1 }, soldOut: false, mayReturnAt: timeAt(600) }],
  })
  t.equal((await shop.pay(order.orderId)).status, 200)
  refused(t, await shop.take(saleId, { A: 1 }), 'insufficient_stock', {
    items: [{ ...short, stock: { quantity: 0, available: 0, inOtherCarts: 0 }, soldOut: true, mayReturnAt: null }],
  })
  const { stock, mayReturnAt, lowStock } = await shop.item(saleId, 'A')
  t.strictSame({ stock, mayReturnAt, lowStock }, { stock: { quantity: 0, available: 0, inCarts: 0 }, mayReturnAt: null, lowStock: true })
})

void tap.test('where a sale holds at checkout, carts count the interest and hold nothing', async (t) => {
  const saleId = await shop.publish({ items: { A: 2 }, holdAt: 'checkout' })
  await shop.at(saleId, 0)
  const carts = [await shop.cart(saleId, { A: 2 }), await shop.cart(saleId, { A: 2 }), await shop.cart(saleId, { A: 1 })]
  t.strictSame(carts.map(({ items }) => items[0]!.stock), [
    { quantity: 2, available: 2, inOtherCarts: 0 },
    { quantity: 2, available: 2, inOtherCarts: 2 },
    { quantity: 2, available: 2, inOtherCarts: 4 },
  ], 'more may be wanted than there is: that is the urgency')
  t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 2, available: 2, inCarts: 5 })
  refused(t, await shop.take(saleId, { A: 3 }), 'insufficient_stock', {
    items: [{ sku: 'A', requested: 3, stock: { quantity: 2, available: 2, inOtherCarts: 5 }, soldOut: false, mayReturnAt: null }],
  })
  refused(t, await shop.set(carts[2]!.cartId, 'A', 3), 'insufficient_stock')

  const order = (await shop.checkout(carts[0]!.cartId)).body
  t.strictSame(order.items[0]!.stock, { quantity: 2, available: 0, inOtherCarts: 3 })
  const { mayReturnAt } = refused(t, await shop.checkout(carts[1]!.cartId), 'insufficient_stock').items![0]!
  t.ok(mayReturnAt && mayReturnAt <= timeAt(600), 'the order’s units may come back')
  t.equal((await shop.look(carts[1]!.cartId)).status, 200, 'a refused checkout leaves the cart')

  t.equal((await shop.pay(order.orderId)).status, 200)
  refused(t, await shop.checkout(carts[2]!.cartId), 'insufficient_stock', {
    items: [{ sku: 'A', requested: 1, stock: { quantity: 0, available: 0, inOtherCarts: 2 }, soldOut: true, mayReturnAt: null }],
  })
})

void tap.test('a checkout that takes units takes all lines or none', async (t) => {
  const saleId = await shop.publish({ items: { A: 5, B: 1 }, holdAt: 'checkout' })
  const both = await shop.cart(saleId, { A: 1, B: 1 })
  await shop.order(saleId, { B: 1 })
  const { items } = refused(t, await shop.checkout(both.cartId), 'insufficient_stock')
  t.strictSame(items?.map(({ sku }) => sku), ['B'])
  t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 5, available: 5, inCarts: 1 })
  t.equal((await shop.set(both.cartId, 'B', 0)).status, 200)
  t.equal((await shop.checkout(both.cartId)).status, 201)
})

void tap.test('a restock that nobody holds ends the wait', async (t) => {
  const saleId = await shop.publish({ items: { A: 1 } })
  const { cartId } = await shop.cart(saleId, { A: 1 })
  t.equal((await shop.operator('POST', '/items/A/adjustments', { delta: 2, reason: 'found some', saleId })).status, 201)
  const { stock, mayReturnAt } = (await shop.look(cartId)).body.items[0]!
  t.strictSame({ stock, mayReturnAt }, { stock: { quantity: 3, available: 2, inOtherCarts: 0 }, mayReturnAt: null })
})
