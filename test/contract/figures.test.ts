/** What an operator watches: the figures of a sale, as numbers that grow. */
import tap from 'tap'
import type { SaleFigures } from '../../src/contract.js'
import { until } from '../races/processes.js'
import { refused } from './refused.js'
import { newId, openShop, time } from './shop.js'

const shop = await openShop(tap)
const ask = (saleId: string) => shop.operator<SaleFigures>('GET', `/sales/${saleId}/figures`)
const figures = async (saleId: string) => (await ask(saleId)).body
/** Of the calls' figures, which are read once a second, one that has them. */
const figuresWith = (saleId: string, has: (its: SaleFigures) => boolean) =>
  until('the figures are there', async () => {
    const its = await figures(saleId)
    return has(its) && its
  })
/** What was counted up to now. */
async function upToNow(saleId: string): Promise<SaleFigures> {
  const nowMs = Date.now()
  return figuresWith(saleId, ({ readAt }) => Date.parse(readAt) > nowMs)
}
const latencyOf = ({ latency }: SaleFigures, call: string) => latency.find((one) => one.call === call)!

void tap.test('the figures of a sale tell each unit of each item once: available, in carts, in unpaid orders, sold', async (t) => {
  const [a, b] = [newId('a'), newId('b')]
  const saleId = await shop.publish({ items: { [b]: 5, [a]: 20 } })
  await shop.cart(saleId, { [a]: 1, [b]: 2 })
  await shop.order(saleId, { [a]: 3 })
  await shop.pending(saleId, { [a]: 4 })
  await shop.paid(saleId, { [a]: 5 })
  t.strictSame((await figures(saleId)).items, [
    { sku: a, allocation: 20, available: 7, inCarts: 1, inOrders: 7, sold: 5 },
    { sku: b, allocation: 5, available: 3, inCarts: 2, inOrders: 0, sold: 0 },
  ])
})

void tap.test('under holdAt: checkout, what is wanted in carts is told beside what is available', async (t) => {
  const sku = newId('a')
  const saleId = await shop.publish({ holdAt: 'checkout', items: { [sku]: 2 } })
  for (let i = 0; i < 3; i += 1) await shop.cart(saleId, { [sku]: 1 })
  t.strictSame((await figures(saleId)).items, [{ sku, allocation: 2, available: 2, inCarts: 3, inOrders: 0, sold: 0 }])
})

void tap.test('holds, refusals by their reason, payments by their answer and the outbox grow with what happens', async (t) => {
  const saleId = await shop.publish({ items: { A: 10 } })
  const before = await upToNow(saleId)
  t.match(before.readAt, time)
  await shop.paid(saleId)
  await shop.paid(saleId)
  await shop.drain(saleId)
  await shop.pending(saleId)
  t.equal((await shop.pay((await shop.order(saleId)).orderId, 'tok_declined')).status, 402)
  await shop.paid(saleId)
  refused(t, await shop.take(saleId, { A: 6 }), 'insufficient_stock')
  refused(t, await shop.take(saleId, { A: 7 }), 'insufficient_stock')

  const after = await figuresWith(saleId, ({ payments }) => payments.succeeded >= before.payments.succeeded + 3)
  t.equal(after.holds.taken - before.holds.taken, 5)
  const short = ({ holds }: SaleFigures) => holds.refused.find(({ code }) => code === 'insufficient_stock')?.count ?? 0
  t.equal(short(after) - short(before), 2)
  t.equal(after.payments.succeeded - before.payments.succeeded, 3)
  t.equal(after.payments.pending - before.payments.pending, 1)
  t.equal(after.payments.declined - before.payments.declined, 1)
  t.match(after.outbox, { entries: 1, persistedOrders: 2 }, 'one order is not in Postgres yet')
  t.ok(after.outbox!.oldestSeconds >= 0)
  t.ok(Date.parse(after.readAt) > Date.parse(before.readAt), 'rates come from the times of two answers')
})

void tap.test('the durations of holds, checkouts and payments are told as histograms', async (t) => {
  const saleId = await shop.publish({ items: { A: 10 } })
  const before = await upToNow(saleId)
  const { cartId } = await shop.cart(saleId, { A: 1 })
  t.equal((await shop.set(cartId, 'A', 2)).status, 200)
  await shop.paid(saleId)
  const after = await figuresWith(saleId, ({ payments }) => payments.succeeded > before.payments.succeeded)
  for (const [call, count] of [['hold', 3], ['checkout', 1], ['payment', 1]] as const) {
    t.equal(latencyOf(after, call).count - latencyOf(before, call).count, count, call)
    const { buckets, count: all } = latencyOf(after, call)
    const bounds = buckets.map(({ atMostSeconds }) => atMostSeconds)
    t.strictSame([bounds[0], bounds.at(-1)], [0.001, 10])
    t.strictSame(bounds, bounds.toSorted((one, other) => one - other))
    t.equal(buckets.every((bucket, i) => bucket.count <= (buckets[i + 1]?.count ?? all)), true, 'each bucket has those of the one before')
    t.equal(buckets.at(-1)!.count, all)
  }
})

void tap.test('however many ask, what the API counts is read at most once a second', async (t) => {
  const saleId = await shop.publish()
  let scrapes = 0
  const { scrape } = shop.metrics
  Object.assign(shop.metrics, { scrape: () => { scrapes += 1; return scrape() } })
  t.teardown(() => Object.assign(shop.metrics, { scrape }))
  const fromMs = Date.now()
  const answers = await Promise.all(Array.from({ length: 200 }, () => figures(saleId)))
  const seconds = Math.ceil((Date.now() - fromMs) / 1_000) + 1
  t.ok(scrapes <= seconds, `${scrapes} scrapes in ${seconds} s`)
  t.ok(new Set(answers.map(({ readAt }) => readAt)).size <= seconds)
})

void tap.test('the figures are for operators, of sales that there are', async (t) => {
  const saleId = await shop.publish()
  refused(t, await shop.call('GET', `/v1/admin/sales/${saleId}/figures`), 'unauthorized')
  refused(t, await shop.call('GET', `/v1/admin/sales/${saleId}/figures`, { headers: { authorization: 'Bearer wrong' } }), 'unauthorized')
  refused(t, await ask('nobody'), 'sale_not_found')
  const { header } = await ask(saleId)
  t.equal(header('cache-control'), 'no-store')
})
