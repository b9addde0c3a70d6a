import tap from 'tap'
import { runOn } from '../postgres.js'
import { dump } from '../redis.js'
import { invalid, refused } from './refused.js'
import { newId, openShop, usd } from './shop.js'

const shop = await openShop(tap)
await shop.putItem('A')
const sale = (change: object = {}) => ({ saleId: newId('sale'), name: 'Friday', items: [{ sku: 'A', allocation: 1 }], ...change })

void tap.test('a sale with every setting at its bound can be published', async (t) => {
  for (const bounds of [
    { holdSeconds: 1, maxHoldSeconds: 1, paymentSeconds: 1, pendingSeconds: 1, lowStockAt: 0, items: [{ sku: 'A', allocation: 0, maxPerCart: 1, price: usd(0) }] },
    { holdSeconds: 86_400, maxHoldSeconds: 86_400, paymentSeconds: 86_400, pendingSeconds: 86_400, lowStockAt: 1_000_000_000, items: [{ sku: 'A', allocation: 1, maxPerCart: 1_000_000_000 }] },
    { holdAt: 'checkout', holdSeconds: 600, maxHoldSeconds: 600 },
    { holdAt: 'cart', name: 'n'.repeat(200), saleId: `${'s'.repeat(20)}-_0Az` },
  ]) {
    const { items: _, ...said } = bounds as Record<string, unknown>
    const { pendingSeconds: __, ...told } = said
    const reply = await shop.askToPublish(sale(bounds))
    t.equal(reply.status, 201, reply.text)
    t.match(reply.body, told)
  }
})

void tap.test('a sale that cannot be one is refused, and leaves nothing behind', async (t) => {
  const item = { sku: 'A', allocation: 1 }
  const cases: [string, object][] = [
    ['no id', { saleId: undefined }], ['an id of spaces', { saleId: 'a b' }], ['an id with braces', { saleId: '{a}' }], ['an id with a colon', { saleId: 'a:b' }],
    ['an empty id', { saleId: '' }], ['an id of 33 characters', { saleId: 's'.repeat(33) }], ['an id with a line break', { saleId: 'a\n' }],
    ['no name', { name: undefined }], ['an empty name', { name: '' }],
    ['no items', { items: undefined }], ['an empty list', { items: [] }], ['10,001 items', { items: Array.from({ length: 10_001 }, (_, n) => ({ sku: `s${n}`, allocation: 1 })) }],
    ['an item twice', { items: [item, item] }],
    ['a negative allocation', { items: [{ ...item, allocation: -1 }] }], ['a broken allocation', { items: [{ ...item, allocation: 0.5 }] }],
    ['an allocation past 10^9', { items: [{ ...item, allocation: 1_000_000_001 }] }], ['an allocation in words', { items: [{ ...item, allocation: '1' }] }],
    ['a limit of none', { items: [{ ...item, maxPerCart: 0 }] }], ['a null limit', { items: [{ ...item, maxPerCart: null }] }],
    ['a negative price', { items: [{ ...item, price: usd(-1) }] }], ['an unknown field of an item', { items: [{ ...item, stock: 1 }] }],
    ['mixed currencies', { items: [{ ...item, price: usd(1) }, { sku: 'B', allocation: 1, price: { amount: 1, currency: 'EUR' } }] }],
    ['a currency beside the catalogue’s', { items: [item, { sku: 'B', allocation: 1, price: { amount: 1, currency: 'EUR' } }] }],
    ['an unknown way to hold', { holdAt: 'payment' }], ['no hold at all', { holdSeconds: 0 }], ['a hold past a day', { holdSeconds: 86_401, maxHoldSeconds: 86_401 }],
    ['a longest hold below the hold', { holdSeconds: 61, maxHoldSeconds: 60 }], ['a hold above the default longest', { holdSeconds: 1_801 }],
    ['a longest hold below the default', { maxHoldSeconds: 599 }], ['no time to pay', { paymentSeconds: 0 }], ['no pending time', { pendingSeconds: 0 }],
    ['a broken hold', { holdSeconds: 1.5 }], ['a low mark below none', { lowStockAt: -1 }],
    ['a time in words', { startsAt: 'tomorrow' }], ['a time without a zone', { startsAt: '2100-01-01T00:00:00' }], ['a time of another zone', { startsAt: '2100-01-01T00:00:00+02:00' }],
    ['a day that does not exist', { startsAt: '2100-02-30T00:00:00Z' }], ['a time that is a number', { endsAt: 4_102_444_800_000 }], ['a null end', { endsAt: null }],
    ['an end before the start', { startsAt: '2100-01-02T00:00:00Z', endsAt: '2100-01-01T00:00:00Z' }], ['an end at the start', { startsAt: '2100-01-01T00:00:00Z', endsAt: '2100-01-01T00:00:00Z' }],
    ['an end that has passed', { endsAt: '2020-01-01T00:00:00Z' }], ['an unknown field', { currency: 'USD' }],
  ]
  await shop.putItem('B')
  const before = await dump(shop.redis)
  for (const [what, off] of cases) {
    await t.test(what, async (inner) => invalid(inner, await shop.askToPublish(sale(off))))
  }
  t.strictSame(await dump(shop.redis), before)
})

void tap.test('what makes a sale no sale is said before anybody’s credentials', async (t) => {
  const item = { sku: 'A', allocation: 1 }
  for (const [items, path] of [
    [[item, item], '/items/1/sku'],
    [[{ ...item, price: usd(1) }, { sku: 'B', allocation: 1, price: { amount: 1, currency: 'EUR' } }], '/items/1/price/currency'],
  ] as const) invalid(t, await shop.call('POST', '/v1/admin/sales', { body: sale({ items }) }), path)
})

void tap.test('times keep their milliseconds, however they were written', async (t) => {
  const reply = await shop.askToPublish(sale({ startsAt: '2100-01-01T00:00:00Z', endsAt: '2100-01-01T00:00:00.5Z' }))
  t.match(reply, { status: 201, body: { status: 'scheduled', startsAt: '2100-01-01T00:00:00.000Z', endsAt: '2100-01-01T00:00:00.500Z' } })
})

void tap.test('a start that has passed opens the sale at once', async (t) => {
  t.match(await shop.askToPublish(sale({ startsAt: '2020-01-01T00:00:00Z' })), { status: 201, body: { status: 'open' } })
})

void tap.test('an item that the catalogue does not have cannot be sold', async (t) => {
  const { saleId, ...rest } = sale({ items: [{ sku: 'A', allocation: 1 }, { sku: 'nothing', allocation: 1 }] })
  refused(t, await shop.askToPublish({ saleId, ...rest }), 'item_not_found')
  refused(t, await shop.call('GET', `/v1/sales/${saleId}`), 'sale_not_found')
  t.equal((await shop.askToPublish(sale({ saleId }))).status, 201, 'and its id is free still')
})

void tap.test('a sale’s id is taken once', async (t) => {
  const first = sale()
  t.equal((await shop.askToPublish(first)).status, 201)
  const before = await dump(shop.redis)
  refused(t, await shop.askToPublish(first), 'sale_exists')
  refused(t, await shop.askToPublish({ ...first, name: 'Another', items: [{ sku: 'A', allocation: 99 }] }), 'sale_exists')
  t.strictSame(await dump(shop.redis), before)
  await shop.control(first.saleId, 'end')
  refused(t, await shop.askToPublish(first), 'sale_exists')
})

void tap.test('no more is allocated than the store has, less what other unclosed sales may still sell', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 10)
  const publish = (allocation: number) => shop.askToPublish(sale({ items: [{ sku, allocation }] }))
  refused(t, await publish(11), 'over_allocated')
  const first = (await publish(6)).body.saleId
  refused(t, await publish(5), 'over_allocated')
  const second = (await publish(4)).body.saleId
  refused(t, await publish(1), 'over_allocated')
  t.equal((await publish(0)).status, 201)

  await shop.paid(first, { [sku]: 2 })
  await shop.drain(first)
  refused(t, await publish(1), 'over_allocated', {})
  await shop.control(first, 'end')
  refused(t, await publish(1), 'over_allocated')
  await shop.sweep(first)
  refused(t, await publish(5), 'over_allocated')
  t.equal((await publish(4)).status, 201, 'what a closed sale did not sell is free')
  t.equal((await shop.operator('POST', `/items/${sku}/adjustments`, { delta: 1, reason: 'found' })).status, 201)
  t.equal((await publish(1)).status, 201, 'and so is a restock')
  t.equal((await shop.sale(second)).items![0]!.stock.quantity, 4)
})

void tap.test('two sales published at once cannot both have the last units', async (t) => {
  const sku = newId('sku')
  await shop.putItem(sku, 10)
  const replies = await Promise.all(Array.from({ length: 8 }, () => shop.askToPublish(sale({ items: [{ sku, allocation: 4 }] }))))
  t.strictSame(replies.map(({ status }) => status).toSorted((a, b) => a - b), [201, 201, ...Array<number>(6).fill(409)])
})

void tap.test('a sale may have 10,000 items', async (t) => {
  const skus = Array.from({ length: 10_000 }, (_, n) => `many-${String(n).padStart(5, '0')}-${'x'.repeat(20)}`)
  // Ten thousand calls would only test the same one; the catalogue is filled as they would fill it.
  await runOn(shop.databaseUrl, `insert into items (sku, name, description, price_amount, currency, quantity, made_with_quantity)
    select sku, sku, '', 100, 'USD', 0, 0 from unnest($1::text[]) as sku`, [skus])
  const items = skus.map((sku) => ({ sku, allocation: 0, price: usd(1_999), maxPerCart: 1_000_000_000 }))
  const reply = await shop.askToPublish(sale({ items }))
  t.equal(reply.status, 201)
  t.equal(reply.body.items?.length, 10_000)
  t.equal((await shop.sale(reply.body.saleId)).items?.at(-1)?.sku, skus.at(-1))
})
