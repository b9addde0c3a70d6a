import tap from 'tap'
import type { Sale } from '../../src/contract.js'
import { refused } from './refused.js'
import { newId, openShop, time, usd } from './shop.js'

const shop = await openShop(tap)

void tap.test('a shop without sales says so', async (t) => {
  const reply = await shop.call('GET', '/v1/sales')
  t.equal(reply.status, 200)
  t.strictSame(reply.body, { sales: [] })
})

void tap.test('a sale tells everything about itself and its items', async (t) => {
  const cheap = newId('sku')
  const plain = newId('sku')
  await shop.putItem(cheap, 100, usd(2_500))
  await shop.putItem(plain, 100, usd(1_000))
  const saleId = newId('sale')
  const endsAt = '2100-06-01T12:00:00.000Z'
  const published = await shop.askToPublish({
    saleId, name: 'Black “Friday” {1}', endsAt, holdAt: 'checkout', holdSeconds: 60, maxHoldSeconds: 90, paymentSeconds: 120, pendingSeconds: 150, lowStockAt: 7,
    items: [
      { sku: plain, allocation: 8 },
      { sku: cheap, price: usd(1_999), allocation: 7, maxPerCart: 2 },
    ],
  })
  t.equal(published.status, 201)
  t.equal(published.header('location'), `/v1/sales/${saleId}`)
  const startsAt = published.body.startsAt
  t.match(startsAt, time)
  const items = [
    { sku: plain, name: `Item ${plain}`, description: 'As pictured', price: usd(1_000), listPrice: null, maxPerCart: null,
      stock: { quantity: 8, available: 8, inCarts: 0 }, lowStock: false, mayReturnAt: null },
    { sku: cheap, name: `Item ${cheap}`, description: 'As pictured', price: usd(1_999), listPrice: usd(2_500), maxPerCart: 2,
      stock: { quantity: 7, available: 7, inCarts: 0 }, lowStock: true, mayReturnAt: null },
  ]
  const sale = { saleId, name: 'Black “Friday” {1}', status: 'open', startsAt, endsAt, holdAt: 'checkout', holdSeconds: 60, maxHoldSeconds: 90, paymentSeconds: 120, lowStockAt: 7 }
  t.strictSame(published.body, { ...sale, items })
  const read = await shop.call<Sale>('GET', `/v1/sales/${saleId}`)
  t.strictSame(read.body, { ...sale, items })
  t.equal(read.header('cache-control'), 'no-store', 'live numbers are never cached')
  t.equal((await shop.call('HEAD', `/v1/sales/${saleId}`)).header('cache-control'), 'no-store', 'nor is what would be said of them')
  t.strictSame(await shop.item(saleId, cheap), items[1])

  const { sales } = (await shop.call<{ sales: Sale[] }>('GET', '/v1/sales')).body
  t.strictSame(sales.filter((one) => one.saleId === saleId), [sale], 'the list is without items')
})

void tap.test('a sale of which nothing is said has the defaults', async (t) => {
  const before = Date.now()
  const { items, startsAt, ...sale } = await shop.sale(await shop.publish({ saleId: 'Defaults_1' }))
  t.strictSame(sale, {
    saleId: 'Defaults_1', name: 'Friday', status: 'open', endsAt: null, holdAt: 'cart', holdSeconds: 600, maxHoldSeconds: 1_800, paymentSeconds: 600, lowStockAt: 5,
  })
  t.ok(Date.parse(startsAt) >= before - 5_000 && Date.parse(startsAt) <= Date.now() + 5_000, 'it started when it was published')
  t.strictSame(items?.map(({ sku, maxPerCart, listPrice }) => ({ sku, maxPerCart, listPrice })), [{ sku: 'A', maxPerCart: null, listPrice: null }])
})

void tap.test('a price above the catalogue’s has no list price', async (t) => {
  const saleId = await shop.publish({ items: { A: { price: usd(9_900) } } })
  const { price, listPrice } = await shop.item(saleId, 'A')
  t.strictSame({ price, listPrice }, { price: usd(9_900), listPrice: null })
})

void tap.test('a sale’s status follows its times and its operator', async (t) => {
  const status = async (saleId: string) => {
    const { status: own } = await shop.sale(saleId)
    const { sales } = (await shop.call<{ sales: Sale[] }>('GET', '/v1/sales')).body
    t.equal(sales.find((sale) => sale.saleId === saleId)?.status, own, 'the list says the same')
    return own
  }
  const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString()
  const saleId = await shop.publish({ startsAt: inSeconds(100), endsAt: inSeconds(200) })
  t.equal(await status(saleId), 'scheduled')
  await shop.later(saleId, 101)
  t.equal(await status(saleId), 'open')
  t.equal((await shop.control(saleId, 'pause')).status, 'paused')
  t.equal(await status(saleId), 'paused')
  t.equal((await shop.control(saleId, 'resume')).status, 'open')
  await shop.later(saleId, 100)
  t.equal(await status(saleId), 'ended')

  const endless = await shop.publish()
  const ended = await shop.control(endless, 'end')
  t.equal(ended.status, 'ended')
  t.match(ended.endsAt ?? '', time)
  t.equal(await status(endless), 'ended')
})

void tap.test('a stock of none is neither hidden nor an error', async (t) => {
  const { stock, lowStock, mayReturnAt } = await shop.item(await shop.publish({ items: { A: 0 }, lowStockAt: 0 }), 'A')
  t.strictSame({ stock, lowStock, mayReturnAt }, { stock: { quantity: 0, available: 0, inCarts: 0 }, lowStock: true, mayReturnAt: null })
})

void tap.test('items come in the order in which they were published', async (t) => {
  const items = { C: 1, A: 1, 'b-1': 1, _: 1 }
  const sale = await shop.sale(await shop.publish({ items }))
  t.strictSame(sale.items?.map(({ sku }) => sku), Object.keys(items))
})

void tap.test('who reads at the same time as many others hears of what they asked for, as it is by then', async (t) => {
  const saleId = await shop.publish({ items: { A: { allocation: 9 }, B: { allocation: 4 } } })
  const paths = [`/v1/sales/${saleId}`, `/v1/sales/${saleId}/items/A`, `/v1/sales/${saleId}/items/B`, `/v1/sales/${saleId}/items/none`, '/v1/sales/none']
  const read = async (path: string) => {
    const { status, body, header } = await shop.call('GET', path)
    return { path, status, body, type: header('content-type') }
  }
  for (let turn = 0; turn < 3; turn += 1) {
    const alone = []
    for (const path of paths) alone.push(await read(path))
    t.strictSame(await Promise.all([...paths, ...paths, ...paths].map(read)), [...alone, ...alone, ...alone])
    if (turn < 2) await shop.cart(saleId, { A: 1, B: 2 })
  }
  t.match(await shop.item(saleId, 'B'), { stock: { available: 0, inCarts: 4 } })
})

void tap.test('what does not exist is told apart: the sale, or the item', async (t) => {
  const saleId = await shop.publish()
  refused(t, await shop.call('GET', '/v1/sales/nobody'), 'sale_not_found')
  refused(t, await shop.call('GET', '/v1/sales/nobody/items/A'), 'sale_not_found')
  refused(t, await shop.call('GET', `/v1/sales/${saleId}/items/nothing`), 'item_not_found')
  refused(t, await shop.call('GET', `/v1/sales/${saleId}/items`), 'route_not_found')
  refused(t, await shop.call('DELETE', `/v1/sales/${saleId}`), 'route_not_found')
})
