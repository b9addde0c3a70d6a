import { saleDefaults, type PublishSale } from '../src/contract.js'
import type { StoredAdjustment } from '../src/database.js'
import { newLocalId } from '../src/ids.js'
import type { OutboxEntry } from '../src/outbox.js'
import { isRefusal } from '../src/problems.js'
import type { SaleDefinition } from '../src/sale.js'
import { runOn } from './postgres.js'
import { accepted, database, newId, nextOutboxId, paid, plan, promise, quantityOf, seedItem, seedSale, soldOf, url, usd } from './store.js'

promise('a catalogue item is made once, and changes without touching its stock', async (t) => {
  const sku = newId('sku')
  const body = { name: 'Lamp', description: 'Warm', price: usd(9_900), quantity: 12 }
  const lamp = { sku, name: 'Lamp', description: 'Warm', price: usd(9_900), quantity: 12 }
  t.same(await database.putItem(sku, body), { created: true, item: lamp })
  t.same(await database.putItem(sku, body), { created: false, item: lamp }, 'a retry changes nothing')
  t.same(await database.putItem(sku, { name: 'Lamp II', price: usd(8_000) }),
    { created: false, item: { ...lamp, name: 'Lamp II', description: '', price: usd(8_000) } })
  t.same(await database.putItem(sku, { ...body, quantity: 13 }), { refused: 'item_exists' })

  accepted(await database.adjust({ sku, delta: 5, reason: 'found some' }))
  t.equal(accepted(await database.putItem(sku, body)).item.quantity, 17, 'the retry of the first call still goes through')
  t.equal(accepted(await database.putItem(sku, { ...body, quantity: 17 })).created, false)
  t.equal(await database.item('nobody'), null)

  const none = newId('sku')
  t.equal(accepted(await database.putItem(none, { name: 'Later', price: usd(1) })).item.quantity, 0)
})

promise('of many calls at once that make the same item, one makes it', async (t) => {
  const sku = newId('sku')
  const results = await Promise.all(Array.from({ length: 8 }, () => database.putItem(sku, { name: 'Lamp', price: usd(1), quantity: 3 })))
  t.equal(results.filter((result) => accepted(result).created).length, 1)
})

promise('a sale is stored with the catalogue as it is at that moment', async (t) => {
  const lamp = await seedItem(10)
  const desk = await seedItem(10, usd(1_000))
  const saleId = newId('sale')
  const stored = accepted(await database.createSale(plan({
    saleId, name: 'Friday', startsAt: '2030-01-01T09:00:00.250Z', holdAt: 'checkout',
    items: [{ sku: desk, allocation: 10, price: usd(1_000) }, { sku: lamp, allocation: 4, price: usd(1_999), maxPerCart: 2 }],
  })))
  t.same(stored, {
    saleId, name: 'Friday', currency: 'USD', startsAtMs: Date.parse('2030-01-01T09:00:00.250Z'), endsAtMs: null,
    ...saleDefaults, holdAt: 'checkout',
    items: [
      { sku: desk, name: `Item ${desk}`, description: 'As pictured', unitAmount: 1_000, listAmount: null, allocation: 10, maxPerCart: null },
      { sku: lamp, name: `Item ${lamp}`, description: 'As pictured', unitAmount: 1_999, listAmount: 2_500, allocation: 4, maxPerCart: 2 },
    ],
  } satisfies SaleDefinition)
  t.same(await database.createSale(plan({ saleId, name: 'Again', items: [{ sku: lamp, allocation: 1 }] })), { refused: 'sale_exists' })
})

promise('a sale that was stored and never published can be stored again, just as it was', async (t) => {
  const lamp = await seedItem(10)
  const asked = plan({ saleId: newId('sale'), name: 'Cut', items: [{ sku: lamp, allocation: 4, maxPerCart: 2 }] })
  const definition = accepted(await database.createSale(asked))
  t.strictSame(await database.createSale(asked), definition, 'whoever was not answered asks again')
  for (const change of [{ name: 'Other' }, { holdSeconds: 601 }, { endsAt: '2100-01-01T00:00:00.000Z' }, { items: [{ sku: lamp, allocation: 5, maxPerCart: 2 }] }, { items: [{ sku: lamp, allocation: 4 }] }]) {
    t.same(await database.createSale({ ...asked, ...change }), { refused: 'sale_exists' }, JSON.stringify(change))
  }
  await database.markPublished(asked.saleId, Date.now())
  t.same(await database.createSale(asked), { refused: 'sale_exists' })
})

promise('a sale that makes no sense is refused, and nothing of it stays', async (t) => {
  const lamp = await seedItem(10)
  const foreign = await seedItem(10, { amount: 1_000, currency: 'EUR' })
  const make = (items: PublishSale['items']) => database.createSale(plan({ saleId: newId('sale'), name: 'No', items }))
  const before = await database.unclosedSales()
  t.match(await make([{ sku: lamp, allocation: 1 }, { sku: foreign, allocation: 1 }]),
    { refused: 'invalid_request', errors: [{ path: '/items/1/price/currency' }] })
  t.same(await make([{ sku: lamp, allocation: 1 }, { sku: 'nobody', allocation: 1 }]), { refused: 'item_not_found' })
  t.same(await make([{ sku: lamp, allocation: 11 }]), { refused: 'over_allocated' })
  t.same(await database.unclosedSales(), before)
  const sale = accepted(await make([{ sku: lamp, allocation: 1, price: { amount: 5, currency: 'EUR' } }, { sku: foreign, allocation: 1 }]))
  t.match(sale, { currency: 'EUR', items: [{ unitAmount: 5, listAmount: null }, { unitAmount: 1_000 }] })
})

promise('sales published at the same moment never promise a unit twice', async (t) => {
  const a = await seedItem(100)
  const b = await seedItem(100)
  const results = await Promise.all(Array.from({ length: 20 }, (_, index) => {
    const items = [{ sku: a, allocation: 15 }, { sku: b, allocation: 15 }]
    return database.createSale(plan({ saleId: newId('sale'), name: 'Rush', items: index % 2 ? items : items.toReversed() }))
  }))
  t.equal(results.filter((result) => !isRefusal(result)).length, 6)
  for (const result of results.filter((each) => isRefusal(each))) t.same(result, { refused: 'over_allocated' })
})

promise('what a closed sale did not sell is the store’s again, what it sold is gone', async (t) => {
  const sku = await seedItem(10)
  const saleId = await seedSale({ [sku]: 10 })
  await database.persist([paid(saleId, { [sku]: 4 })])
  const next = (allocation: number) => database.createSale(plan({ saleId: newId('sale'), name: 'Next', items: [{ sku, allocation }] }))
  t.same(await next(1), { refused: 'over_allocated' })
  await database.markClosed(saleId)
  t.notOk((await database.unclosedSales()).includes(saleId))
  t.same(await next(7), { refused: 'over_allocated' })
  accepted(await next(6))
})

promise('a sale that was cut off on its way to Redis is found again', async (t) => {
  const sku = await seedItem(10)
  const sale = accepted(await database.createSale(plan({ saleId: newId('sale'), name: 'Cut', items: [{ sku, allocation: 1 }] })))
  const found = async () => (await database.unpublishedSales()).find(({ saleId }) => saleId === sale.saleId)
  t.equal(await found(), undefined, 'not while it may still be on its way')
  t.same(await database.adjust({ sku, saleId: sale.saleId, delta: 1, reason: 'too early' }), { refused: 'sale_state' })
  await runOn(url, `update sales set created_at = now() - interval '1 minute' where sale_id = $1`, [sale.saleId])
  t.same(await found(), sale)
  await database.markPublished(sale.saleId, 1_732_412_345_678)
  await database.markPublished(sale.saleId, 1_999_999_999_999)
  await database.setSaleEnd(sale.saleId, 1_732_412_999_001)
  t.equal(await found(), undefined)
  t.equal(await database.anySale(), true)
  t.same(await runOn(url, 'select starts_at, ends_at from sales where sale_id = $1', [sale.saleId]),
    [{ starts_at: new Date(1_732_412_345_678), ends_at: new Date(1_732_412_999_001) }])
})

promise('a restock is in the ledger once, however often it is asked for', async (t) => {
  const sku = await seedItem(10)
  const saleId = await seedSale({ [sku]: 10 })
  const request = { sku, saleId, delta: 5, reason: 'a late delivery', idempotencyKey: newId('key') }
  const results = await Promise.all(Array.from({ length: 6 }, () => database.adjust(request)))
  const [first] = results.map((result) => accepted<StoredAdjustment>(result))
  for (const result of results) t.same(result, first)
  t.match(first, { toRedis: true, adjustment: { sku, saleId, delta: 5, reason: 'a late delivery' } })
  t.equal(await quantityOf(sku), 15)
  t.same(await soldOf(saleId, sku), { sold: 0, allocation: 15 })

  const waiting = async () => (await database.adjustmentsNotInRedis()).filter((each) => each.saleId === saleId)
  t.same(await waiting(), [], 'not while it may still be on its way')
  await runOn(url, `update adjustments set created_at = now() - interval '1 minute' where sale_id = $1`, [saleId])
  t.same(await waiting(), [first!.adjustment])
  await database.markAdjustmentInRedis(first!.adjustment.adjustmentId)
  t.same(await waiting(), [])
  t.equal(accepted(await database.adjust(request)).toRedis, false)

  t.same(await database.adjust({ ...request, delta: 6 }), { refused: 'idempotency_key_reused' })
  await runOn(url, `update adjustments set created_at = now() - interval '25 hours' where sale_id = $1`, [saleId])
  t.not(accepted(await database.adjust({ ...request, delta: 6 })).adjustment.adjustmentId, first!.adjustment.adjustmentId, 'a key is kept a day')
  t.equal(await quantityOf(sku), 21)
})

promise('an adjustment of what is not there, or to more than the store can count, is refused', async (t) => {
  const sku = await seedItem(10)
  const other = await seedItem(10)
  const saleId = await seedSale({ [sku]: 10 })
  const adjust = (change: object) => database.adjust({ sku, delta: 1, reason: 'why', ...change })
  t.same(await adjust({ sku: 'nobody' }), { refused: 'item_not_found' })
  t.same(await adjust({ saleId: 'nothing' }), { refused: 'sale_not_found' })
  t.same(await adjust({ sku: other, saleId }), { refused: 'item_not_found' })
  t.match(await adjust({ delta: 1_000_000_000 }), { refused: 'invalid_request', errors: [{ path: '/delta' }] })
  await database.markClosed(saleId)
  t.same(await adjust({ saleId }), { refused: 'sale_state' })
  t.equal(await quantityOf(sku), 10)
})

promise('the store is never shrunk below what its sales may still sell', async (t) => {
  const sku = await seedItem(10)
  await seedSale({ [sku]: 7 })
  const shrink = (delta: number) => database.adjust({ sku, delta, reason: 'broken' })
  t.same(await shrink(-4), { refused: 'below_committed' })
  t.match(await shrink(-3), { toRedis: false, adjustment: { saleId: null, delta: -3 } })
  t.same(await shrink(-1), { refused: 'below_committed' })
  t.equal(await quantityOf(sku), 7)
})

promise('a shrink of a running sale counts once the units have left it, and once only', async (t) => {
  const sku = await seedItem(10)
  const saleId = await seedSale({ [sku]: 10 })
  const request = { sku, saleId, delta: -4, reason: 'broken', idempotencyKey: newId('key') }
  const refused = accepted(await database.adjust(request))
  t.same(accepted(await database.adjust(request)), refused, 'the same shrink, still to be taken to Redis')
  await database.deleteAdjustment(refused.adjustment.adjustmentId)
  const stored = accepted(await database.adjust(request))
  t.not(stored.adjustment.adjustmentId, refused.adjustment.adjustmentId, 'a refusal is not recorded')
  t.equal(await quantityOf(sku), 10)

  await database.markAdjustmentInRedis(stored.adjustment.adjustmentId)
  await database.deleteAdjustment(stored.adjustment.adjustmentId)
  const { adjustmentId } = stored.adjustment
  const entry: OutboxEntry = { kind: 'adjusted', outboxId: nextOutboxId(), counters: [], adjustmentId, saleId, sku, delta: -4 }
  t.same(await Promise.all([database.persist([entry]), database.persist([entry, paid(saleId, { [sku]: 1 })])]),
    [['persisted'], ['persisted', 'persisted']])
  t.equal(await quantityOf(sku), 5)
  t.same(await soldOf(saleId, sku), { sold: 1, allocation: 6 })
  t.equal(accepted(await database.adjust(request)).toRedis, false)

  const withdrawn: OutboxEntry = { ...entry, outboxId: nextOutboxId(), adjustmentId: newLocalId(), delta: -1 }
  t.same(await database.persist([withdrawn]), ['persisted'], 'what left the sale counts even where nobody asks for it any more')
  t.equal(await quantityOf(sku), 4)
})
