import tap from 'tap'
import type { CatalogueItem } from '../../src/contract.js'
import { runOn } from '../postgres.js'
import { dump } from '../redis.js'
import { invalid, refused } from './refused.js'
import { adminToken, newId, openApp, openShop, usd } from './shop.js'

const shop = await openShop(tap)
const put = (sku: string, body: object) => shop.operator<CatalogueItem>('PUT', `/items/${sku}`, body)
const adjust = (sku: string, body: object) => shop.operator<object>('POST', `/items/${sku}/adjustments`, body)
const ledger = async (sku: string) =>
  (await runOn<{ delta: string; reason: string; sale_id: string | null }>(shop.databaseUrl, 'select delta, reason, sale_id from stock_movements where sku = $1 order by movement_id', [sku]))
    .map(({ delta, reason, sale_id }) => [Number(delta), reason, sale_id])

void tap.test('operator calls need the operator’s token', async (t) => {
  const saleId = await shop.publish()
  const calls = [
    ['PUT', '/items/X1', { name: 'x', price: usd(1) }], ['GET', '/items/A', undefined], ['POST', '/items/A/adjustments', { delta: 1, reason: 'x' }],
    ['POST', '/sales', { saleId: 'X1', name: 'x', items: [{ sku: 'A', allocation: 1 }] }],
    ['POST', `/sales/${saleId}/pause`, undefined], ['POST', `/sales/${saleId}/resume`, undefined], ['POST', `/sales/${saleId}/end`, undefined],
  ] as const
  const before = await dump(shop.redis)
  const credentials = ['', adminToken, `Basic ${adminToken}`, 'Bearer', 'Bearer ', `Bearer ${adminToken}x`, `Bearer ${adminToken.slice(0, -1)}`, `Bearer ${adminToken} ${adminToken}`, 'Bearer null']
  for (const [method, url, body] of calls) {
    for (const authorization of [undefined, ...credentials]) {
      const reply = await shop.call(method, `/v1/admin${url}`, { ...(body === undefined ? {} : { body }), headers: authorization === undefined ? {} : { authorization } })
      refused(t, reply, 'unauthorized')
      t.equal(reply.header('www-authenticate'), 'Bearer')
    }
  }
  t.strictSame(await dump(shop.redis), before)
})

void tap.test('where no token is set, nobody is the operator', async (t) => {
  const { call } = await openApp(t, shop, { adminToken: null })
  for (const authorization of [`Bearer ${adminToken}`, 'Bearer ', 'Bearer null', 'Bearer undefined']) {
    refused(t, await call('GET', '/v1/admin/items/A', { headers: { authorization } }), 'unauthorized')
  }
})

void tap.test('an item is made, read and changed', async (t) => {
  const sku = newId('sku')
  refused(t, await shop.operator('GET', `/items/${sku}`), 'item_not_found')
  const made = await put(sku, { name: 'Lamp', description: 'Bright', price: usd(2_500), quantity: 7 })
  t.equal(made.status, 201)
  t.equal(made.header('location'), `/v1/admin/items/${sku}`)
  const item = { sku, name: 'Lamp', description: 'Bright', price: usd(2_500), quantity: 7 }
  t.strictSame(made.body, item)
  t.strictSame(await shop.stored(sku), item)
  const changed = await put(sku, { name: 'Lámp', description: 'Brighter', price: { amount: 0, currency: 'EUR' } })
  t.equal(changed.status, 200)
  t.strictSame(await shop.stored(sku), { sku, name: 'Lámp', description: 'Brighter', price: { amount: 0, currency: 'EUR' }, quantity: 7 })
})

void tap.test('an item made without a quantity has none, and without a description an empty one', async (t) => {
  const sku = newId('sku')
  t.match((await put(sku, { name: 'Lamp', price: usd(1) })).body, { description: '', quantity: 0 })
})

void tap.test('an item’s quantity is set when it is made: later only the same one', async (t) => {
  const sku = newId('sku')
  const body = { name: 'Lamp', price: usd(1), quantity: 7 }
  t.equal((await put(sku, body)).status, 201)
  t.equal((await put(sku, body)).status, 200, 'a retry is harmless')
  for (const quantity of [0, 6, 8]) refused(t, await put(sku, { ...body, name: 'Other', quantity }), 'item_exists')
  t.match(await shop.stored(sku), { name: 'Lamp', quantity: 7 })
  await adjust(sku, { delta: 3, reason: 'found' })
  t.equal((await put(sku, body)).status, 200, 'also a late one')
  t.equal((await shop.stored(sku)).quantity, 10)
})

void tap.test('an item that cannot be one is refused', async (t) => {
  const body = { name: 'Lamp', price: usd(1) }
  for (const off of [
    { name: '' }, { name: 'n'.repeat(201) }, { name: null }, { name: 3 }, { name: 'a\u0000' }, { name: '\ud800' }, { price: null }, { price: 1 }, { price: { amount: 1 } },
    { price: usd(-1) }, { price: usd(1.5) }, { price: usd(2 ** 53) }, { price: { amount: '1', currency: 'USD' } }, { price: { amount: 1, currency: 'usd' } },
    { price: { ...usd(1), tax: 1 } }, { quantity: -1 }, { quantity: 1.5 }, { quantity: '1' }, { quantity: 1_000_000_001 }, { quantity: null }, { description: 3 },
    { sku: 'other' }, { stock: 1 },
  ]) invalid(t, await put('Off', { ...body, ...off }))
  for (const sku of ['a b', 'a.b', 'ä', 's'.repeat(33), '%00', '{a}', 'a%2Fb']) invalid(t, await put(encodeURI(sku).replaceAll('%25', '%'), body))
  refused(t, await shop.operator('GET', '/items/Off'), 'item_not_found')
})

void tap.test('a restock and a shrink of the store are in the ledger', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 10)
  const reply = await adjust(sku, { delta: 5, reason: 'found' })
  t.equal(reply.status, 201)
  t.match(reply.body, { adjustmentId: /./, sku, saleId: null, delta: 5, reason: 'found' })
  t.equal((await adjust(sku, { delta: -15, reason: 'stolen' })).status, 201)
  t.equal((await shop.stored(sku)).quantity, 0)
  t.strictSame(await ledger(sku), [[10, 'made', null], [5, 'found', null], [-15, 'stolen', null]])
  refused(t, await adjust(sku, { delta: -1, reason: 'lost' }), 'below_committed')
  t.equal((await ledger(sku)).length, 3)
})

void tap.test('the store never shrinks below what sales may still sell', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 10)
  const saleId = await shop.publish({ items: { [sku]: 6 } })
  refused(t, await adjust(sku, { delta: -5, reason: 'lost' }), 'below_committed')
  t.equal((await adjust(sku, { delta: -4, reason: 'lost' })).status, 201)
  await shop.paid(saleId, { [sku]: 2 })
  await shop.drain(saleId)
  t.equal((await shop.stored(sku)).quantity, 4)
  refused(t, await adjust(sku, { delta: -1, reason: 'lost' }), 'below_committed')
  await shop.control(saleId, 'end')
  await shop.sweep(saleId)
  t.equal((await adjust(sku, { delta: -4, reason: 'lost' })).status, 201, 'what a closed sale did not sell is free')
})

void tap.test('a restock is live in the sale named, at once', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 10)
  const saleId = await shop.publish({ items: { [sku]: 2 } })
  await shop.cart(saleId, { [sku]: 2 })
  const reply = await adjust(sku, { delta: 3, reason: 'found', saleId })
  t.equal(reply.status, 201)
  t.match(reply.body, { sku, saleId, delta: 3, reason: 'found' })
  t.strictSame((await shop.item(saleId, sku)).stock, { quantity: 5, available: 3, inCarts: 2 })
  t.equal((await shop.stored(sku)).quantity, 13)
  t.strictSame(await ledger(sku), [[10, 'made', null], [3, 'found', saleId]])
})

void tap.test('a shrink is live in the sale named, and never below what is sold or held', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 10)
  const saleId = await shop.publish({ items: { [sku]: 8 } })
  await shop.cart(saleId, { [sku]: 2 })
  await shop.order(saleId, { [sku]: 1 })
  await shop.paid(saleId, { [sku]: 1 })
  refused(t, await adjust(sku, { delta: -5, reason: 'lost', saleId }), 'below_committed')
  t.strictSame((await shop.item(saleId, sku)).stock, { quantity: 7, available: 4, inCarts: 3 })
  t.equal((await adjust(sku, { delta: -4, reason: 'lost', saleId })).status, 201)
  t.strictSame((await shop.item(saleId, sku)).stock, { quantity: 3, available: 0, inCarts: 3 })
  await shop.drain(saleId)
  t.equal((await shop.stored(sku)).quantity, 5, '10, less 4 lost, less 1 sold')
  t.strictSame((await ledger(sku)).map(([delta]) => delta).toSorted((a, b) => Number(a) - Number(b)), [-4, -1, 10])
})

void tap.test('an adjustment of what is not there, or not there any more, is refused', async (t) => {
  const [sku, other] = [newId('sku'), newId('sku')]
  await shop.putItem(sku, 10)
  await shop.putItem(other, 10)
  const saleId = await shop.publish({ items: { [sku]: 5 } })
  refused(t, await adjust('nothing', { delta: 1, reason: 'found' }), 'item_not_found')
  refused(t, await adjust(sku, { delta: 1, reason: 'found', saleId: 'nobody' }), 'sale_not_found')
  refused(t, await adjust(other, { delta: 1, reason: 'found', saleId }), 'item_not_found')
  await shop.control(saleId, 'end')
  await shop.sweep(saleId)
  for (const delta of [1, -1]) refused(t, await adjust(sku, { delta, reason: 'late', saleId }), 'sale_state')
  t.equal((await shop.stored(sku)).quantity, 10)
})

void tap.test('a restock of a sale that has closed meanwhile is the store’s', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 10)
  const saleId = await shop.publish({ items: { [sku]: 5 } })
  await shop.control(saleId, 'end')
  t.equal(await shop.engine.close({ saleId, shard: 0 }), true)
  t.equal((await adjust(sku, { delta: 3, reason: 'found', saleId })).status, 201, 'it is in the ledger, so it is done')
  t.equal((await shop.stored(sku)).quantity, 13)
  await shop.sweep(saleId)
  t.match(await runOn(shop.databaseUrl, 'select allocation::int, given_back::int from sale_results where sale_id = $1', [saleId]), [{ allocation: 5, given_back: 5 }])
})

void tap.test('another request under a used key is refused for what is wrong with it first', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 10)
  const key = { 'idempotency-key': newId('key') }
  t.equal((await shop.operator('POST', `/items/${sku}/adjustments`, { delta: 1, reason: 'found' }, key)).status, 201)
  refused(t, await shop.operator('POST', '/items/nobody/adjustments', { delta: 1, reason: 'found' }, key), 'item_not_found')
  invalid(t, await shop.operator('POST', `/items/${sku}/adjustments`, { delta: 1_000_000_000, reason: 'found' }, key), '/delta')
  refused(t, await shop.operator('POST', `/items/${sku}/adjustments`, { delta: -100, reason: 'found' }, key), 'idempotency_key_reused')
  t.equal((await shop.stored(sku)).quantity, 11)
})

void tap.test('an adjustment that cannot be one is refused', async (t) => {
  for (const off of [
    { delta: 0 }, { delta: 1.5 }, { delta: '1' }, { delta: null }, { delta: 1_000_000_001 }, { delta: -1_000_000_001 }, { reason: '' }, { reason: undefined }, { reason: 3 },
    { reason: 'r'.repeat(201) }, { reason: 'a\u0000b' }, { saleId: '' }, { saleId: 'a b' }, { saleId: null }, { sku: 'B' },
  ]) invalid(t, await adjust('A', { delta: 1, reason: 'found', ...off }))
  const sku = newId('sku')
  await shop.putItem(sku, 1_000_000_000)
  invalid(t, await adjust(sku, { delta: 1, reason: 'more than can be' }))
})
