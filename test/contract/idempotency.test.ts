import tap from 'tap'
import { runOn } from '../postgres.js'
import { dump } from '../redis.js'
import { invalid, refused } from './refused.js'
import { type Lines, newId, openShop } from './shop.js'

const shop = await openShop(tap)
const stockOf = async (saleId: string) => (await shop.item(saleId, 'A')).stock
const hour = 3_600

void tap.test('the same key again makes nothing new, and answers with the cart as it is now', async (t) => {
  const saleId = await shop.publish({ items: { A: 10, B: 10 } })
  const key = newId('key')
  const first = await shop.take(saleId, { A: 2, B: 1 }, key)
  const again = await shop.take(saleId, { A: 2, B: 1 }, key)
  t.strictSame({ status: again.status, body: again.body, location: again.header('location') }, { status: 201, body: first.body, location: `/v1/carts/${first.body.cartId}` })
  t.strictSame(await stockOf(saleId), { quantity: 10, available: 8, inCarts: 2 })

  await shop.set(first.body.cartId, 'A', 5)
  t.match((await shop.take(saleId, { A: 2, B: 1 }, key)).body, { cartId: first.body.cartId, items: [{ sku: 'A', quantity: 5 }, { sku: 'B', quantity: 1 }] })
  const { orderId } = (await shop.checkout(first.body.cartId)).body
  t.match((await shop.take(saleId, { A: 2, B: 1 }, key)).body, { cartId: first.body.cartId, status: 'checked_out', orderId })
})

void tap.test('the same lines in another order, or in parts, are the same request', async (t) => {
  const saleId = await shop.publish({ items: { A: 10, B: 10 } })
  const key = newId('key')
  const { cartId } = (await shop.take(saleId, { A: 2, B: 1 }, key)).body
  const items = [{ sku: 'B', quantity: 1 }, { sku: 'A', quantity: 1 }, { sku: 'A', quantity: 1 }]
  t.match(await shop.call('POST', `/v1/sales/${saleId}/carts`, { body: { items }, headers: { 'idempotency-key': key } }), { status: 201, body: { cartId } })
})

void tap.test('fifty requests at once with one key make one cart', async (t) => {
  const saleId = await shop.publish()
  const key = newId('key')
  const replies = await Promise.all(Array.from({ length: 50 }, () => shop.take(saleId, { A: 3 }, key)))
  t.equal(new Set(replies.map(({ status, body }) => `${status} ${body.cartId}`)).size, 1)
  t.strictSame(await stockOf(saleId), { quantity: 10, available: 7, inCarts: 3 })
})

void tap.test('the same key with another request is refused', async (t) => {
  const saleId = await shop.publish({ items: { A: { maxPerCart: 5 }, B: 10 } })
  const key = newId('key')
  await shop.take(saleId, { A: 2 }, key)
  const before = await dump(shop.redis)
  for (const lines of [{ A: 1 }, { B: 2 }, { A: 2, B: 1 }, {}] as Lines[]) refused(t, await shop.take(saleId, lines, key), 'idempotency_key_reused')
  refused(t, await shop.take(saleId, { nothing: 1 }, key), 'item_not_found')
  t.strictSame(await dump(shop.redis), before)
})

void tap.test('a key is scoped to its sale', async (t) => {
  const [one, other] = [await shop.publish(), await shop.publish()]
  const key = newId('key')
  const first = await shop.take(one, { A: 2 }, key)
  const second = await shop.take(other, { A: 3 }, key)
  t.equal(second.status, 201)
  t.not(second.body.cartId, first.body.cartId)
})

void tap.test('only a success is recorded', async (t) => {
  const saleId = await shop.publish({ items: { A: { allocation: 1, maxPerCart: 1 }, B: 1 } })
  const key = newId('key')
  const held = await shop.cart(saleId, { A: 1 })
  refused(t, await shop.take(saleId, { A: 1 }, key), 'insufficient_stock')
  refused(t, await shop.take(saleId, { A: 2 }, key), 'limit_exceeded')
  refused(t, await shop.take(saleId, { nothing: 1 }, key), 'item_not_found')
  await shop.control(saleId, 'pause')
  refused(t, await shop.take(saleId, { B: 1 }, key), 'sale_not_open')
  await shop.control(saleId, 'resume')
  await shop.call('DELETE', `/v1/carts/${held.cartId}`)
  t.equal((await shop.take(saleId, { A: 1 }, key)).status, 201)
})

void tap.test('a replay is answered whatever has become of the sale', async (t) => {
  const saleId = await shop.publish()
  const key = newId('key')
  const { cartId } = (await shop.take(saleId, { A: 10 }, key)).body
  for (const action of ['pause', 'end'] as const) {
    await shop.control(saleId, action)
    t.match(await shop.take(saleId, { A: 10 }, key), { status: 201, body: { cartId } })
  }
})

void tap.test('a replay for a cart that is gone says so', async (t) => {
  const saleId = await shop.publish()
  const [removed, lapsed, paid] = [newId('key'), newId('key'), newId('key')]
  const { cartId } = (await shop.take(saleId, { A: 1 }, removed)).body
  await shop.call('DELETE', `/v1/carts/${cartId}`)
  refused(t, await shop.take(saleId, { A: 1 }, removed), 'cart_not_found')
  await shop.pay((await shop.checkout((await shop.take(saleId, { A: 1 }, paid)).body.cartId)).body.orderId)
  refused(t, await shop.take(saleId, { A: 1 }, paid), 'cart_not_found')
  await shop.take(saleId, { A: 1 }, lapsed)
  await shop.later(saleId, 601)
  refused(t, await shop.take(saleId, { A: 1 }, lapsed), 'cart_expired')
  await shop.later(saleId, hour)
  await shop.sweep(saleId)
  refused(t, await shop.take(saleId, { A: 1 }, lapsed), 'cart_not_found')
})

void tap.test('a key is kept for 24 hours', async (t) => {
  const saleId = await shop.publish()
  await shop.at(saleId, 0)
  const key = newId('key')
  const first = (await shop.take(saleId, { A: 1 }, key)).body
  await shop.at(saleId, 24 * hour - 1)
  await shop.sweep(saleId)
  refused(t, await shop.take(saleId, { A: 2 }, key), 'idempotency_key_reused')
  await shop.at(saleId, 24 * hour)
  const second = await shop.take(saleId, { A: 2 }, key)
  t.equal(second.status, 201)
  t.not(second.body.cartId, first.cartId)
})

void tap.test('a key that cannot be one is refused', async (t) => {
  const saleId = await shop.publish()
  const before = await dump(shop.redis)
  for (const key of ['', ' ', 'a b', 'k'.repeat(65), 'a:b', '{x}', 'ä', 'a,b']) {
    invalid(t, await shop.take(saleId, { A: 1 }, key))
    invalid(t, await shop.operator('POST', '/items/A/adjustments', { delta: 1, reason: 'count' }, { 'idempotency-key': key }))
  }
  t.strictSame(await dump(shop.redis), before)
  for (const key of ['-', '_', 'k'.repeat(64), '__proto__', 'constructor']) t.equal((await shop.take(saleId, { A: 1 }, key)).status, 201, key)
})

// --- Adjustments ---

const adjust = (sku: string, body: object, key: string) => shop.operator<{ adjustmentId: string }>('POST', `/items/${sku}/adjustments`, body, { 'idempotency-key': key })

void tap.test('an adjustment with the same key again adjusts nothing', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 100)
  const saleId = await shop.publish({ items: { [sku]: 10 } })
  const allocated = async () => (await shop.item(saleId, sku)).stock.quantity
  for (const [body, quantity, live] of [
    [{ delta: 5, reason: 'found' }, 105, 10],
    [{ delta: -5, reason: 'broken' }, 100, 10],
    [{ delta: 4, reason: 'found', saleId }, 104, 14],
    [{ delta: -3, reason: 'broken', saleId }, 101, 11],
  ] as const) {
    const key = newId('key')
    const first = await adjust(sku, body, key)
    t.equal(first.status, 201)
    const replies = await Promise.all(Array.from({ length: 10 }, () => adjust(sku, body, key)))
    for (const { status, body: again } of replies) t.strictSame({ status, again }, { status: 201, again: first.body })
    await shop.drain(saleId)
    t.strictSame({ live: await allocated(), quantity: (await shop.stored(sku)).quantity }, { live, quantity })
    refused(t, await adjust(sku, { ...body, delta: body.delta + 10 }, key), 'idempotency_key_reused')
    refused(t, await adjust(sku, { ...body, reason: 'another' }, key), 'idempotency_key_reused')
  }
})

void tap.test('only an adjustment that succeeded is recorded', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 10)
  const saleId = await shop.publish({ items: { [sku]: 10 } })
  const [store, live] = [newId('key'), newId('key')]
  refused(t, await adjust(sku, { delta: -11, reason: 'lost' }, store), 'below_committed')
  t.equal((await adjust(sku, { delta: 1, reason: 'found' }, store)).status, 201)
  refused(t, await adjust(sku, { delta: -11, reason: 'lost', saleId }, live), 'below_committed')
  t.equal((await adjust(sku, { delta: -1, reason: 'lost', saleId }, live)).status, 201)
})

void tap.test('an adjustment’s key is kept for 24 hours', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 10)
  const key = newId('key')
  const first = await adjust(sku, { delta: 1, reason: 'found' }, key)
  const age = (seconds: number) => runOn(shop.databaseUrl, 'update adjustments set created_at = now() - make_interval(secs => $1) where idempotency_key = $2', [seconds, key])
  await age(24 * hour - 60)
  refused(t, await adjust(sku, { delta: 2, reason: 'found' }, key), 'idempotency_key_reused')
  await age(24 * hour + 1)
  const second = await adjust(sku, { delta: 2, reason: 'found' }, key)
  t.equal(second.status, 201)
  t.not(second.body.adjustmentId, first.body.adjustmentId)
  t.equal((await shop.stored(sku)).quantity, 13)
})

void tap.test('a key is scoped to its call: for a cart and for an adjustment of its sale it is two', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 100)
  const saleId = await shop.publish({ items: { [sku]: 10 } })
  const [cartFirst, adjustmentFirst] = [newId('key'), newId('key')]
  const restock = { delta: 2, reason: 'found', saleId }
  const { cartId } = (await shop.take(saleId, { [sku]: 1 }, cartFirst)).body
  const made = (await adjust(sku, restock, adjustmentFirst)).body
  const [{ status, body: { adjustmentId } }, other] = [await adjust(sku, restock, cartFirst), await shop.take(saleId, { [sku]: 3 }, adjustmentFirst)]
  t.strictSame([status, other.status], [201, 201])
  t.not(adjustmentId, made.adjustmentId)
  t.strictSame((await shop.item(saleId, sku)).stock, { quantity: 14, available: 10, inCarts: 4 })

  t.match(await shop.take(saleId, { [sku]: 1 }, cartFirst), { status: 201, body: { cartId } })
  t.match(await adjust(sku, restock, cartFirst), { status: 201, body: { adjustmentId } })
  refused(t, await shop.take(saleId, { [sku]: 1 }, adjustmentFirst), 'idempotency_key_reused')
  refused(t, await adjust(sku, { ...restock, delta: 3 }, cartFirst), 'idempotency_key_reused')
  t.strictSame((await shop.item(saleId, sku)).stock, { quantity: 14, available: 10, inCarts: 4 }, 'and each is remembered for its own')
})

void tap.test('a key is scoped to what is adjusted: the store, or one of its sales', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 100)
  const [one, other] = [await shop.publish({ items: { [sku]: 10 } }), await shop.publish({ items: { [sku]: 10 } })]
  const key = newId('key')
  const restock = { delta: 2, reason: 'found' }
  const bodies = [restock, { ...restock, saleId: one }, { ...restock, saleId: other }]
  const first = await Promise.all(bodies.map((body) => adjust(sku, body, key)))
  t.strictSame(first.map(({ status }) => status), [201, 201, 201])
  t.equal(new Set(first.map(({ body }) => body.adjustmentId)).size, 3)
  t.equal((await shop.stored(sku)).quantity, 106)
  const again = await Promise.all(bodies.map((body) => adjust(sku, body, key)))
  t.strictSame(again.map(({ body }) => body.adjustmentId), first.map(({ body }) => body.adjustmentId))
  t.equal((await shop.stored(sku)).quantity, 106)
})
