/** What a customer sees while something is wrong, and that it goes on by itself, once. */
import { randomBytes } from 'node:crypto'
import tap from 'tap'
import type { Order, PublishSale, Sale } from '../../src/contract.js'
import { freshDatabase } from '../postgres.js'
import { adminToken, atWork, startApi, startWorker } from '../races/processes.js'
import { ownRedis } from '../races/servers.js'
import { call, good, publish, readOrder, ready, type Ware, ware } from '../races/shop.js'
import { openBrowser } from './chromium.js'
import { onlyEvents, openCustomer } from './customer.js'

/** Longer than any test here may take on a machine that is busy, in ms. */
const timeout = 120_000

// Its own, since it is made to fall silent.
const own = await ownRedis(tap)
await own.start()
const stores = { redisUrl: own.url, databaseUrl: await freshDatabase(tap) }
const [worker, { url: api }] = [startWorker(tap, stores), await startApi(tap, stores)]
await Promise.all([atWork(worker), ready(api)])
const browser = await openBrowser(tap)

async function sale(wares: readonly Ware[], more: Partial<PublishSale> = {}): Promise<{ saleId: string; address: string }> {
  const saleId = `sale-${randomBytes(6).toString('hex')}`
  await publish(api, wares.map((one) => ({ ...one, sku: `${one.sku}-${saleId}` })), { ...more, saleId })
  return { saleId, address: `${api}/?sale=${saleId}` }
}

const operate = async (saleId: string, what: 'pause' | 'resume' | 'end') =>
  good(await call<Sale>('POST', `${api}/v1/admin/sales/${saleId}/${what}`, { headers: { authorization: `Bearer ${adminToken}` } }))

const stockOf = async (saleId: string) => good(await call<Sale>('GET', `${api}/v1/sales/${saleId}`)).items![0]!.stock

void tap.test('no sale yet: the page says so, and shows one as soon as there is one', { timeout }, async (t) => {
  const shopper = await openCustomer(t, browser, api)
  await shopper.reads('There is no sale right now')
  await sale([ware('mug', 5)], { name: 'The first one' })
  await shopper.page.getByRole('heading', { level: 1, name: /The first one/ }).waitFor()
})

void tap.test('a store whose answers do not arrive: the page keeps calm, goes on by itself, and takes one unit', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 50)])
  const shopper = await openCustomer(t, browser, address)
  const mug = `Item mug-${saleId}`
  await shopper.item(mug).getByText('50 left', { exact: true }).waitFor()
  // Redis does what it is asked, and nobody hears of it: 503, the outcome is not known.
  own.line.mute()
  const refused = shopper.page.waitForResponse((response) => response.status() === 503 && response.request().method() === 'POST')
  await shopper.add(mug)
  await refused
  await shopper.reads('The shop is very busy. We keep trying for you')
  t.ok(await shopper.item(mug).getByRole('button').isDisabled(), 'the button cannot be pressed again meanwhile')
  own.line.mend()
  await shopper.reads(`In your cart: 1 × ${mug}`)
  await shopper.page.getByText('The shop is very busy').waitFor({ state: 'detached' })
  t.same(await stockOf(saleId), { quantity: 50, available: 49, inCarts: 1 })
  t.strictSame(shopper.complaints, [])
})

void tap.test('a payment that meets a silent store is made once, without another click', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 50)])
  const shopper = await openCustomer(t, browser, address)
  await shopper.add(`Item mug-${saleId}`)
  await shopper.checkOut()
  await shopper.fillIn()
  await shopper.page.getByRole('radio', { name: 'It goes through' }).waitFor()
  const orderId = (await shopper.page.getByText(/^o\./).textContent())!
  own.line.hold()
  const refused = shopper.page.waitForResponse((response) => response.status() === 503 && response.request().method() === 'POST')
  await shopper.pay()
  await refused
  own.line.mend()
  await shopper.reads('Your order is paid and saved')
  t.match(good(await readOrder(api, orderId)) satisfies Order, { status: 'paid', persisted: true, items: [{ quantity: 1 }] })
  t.match(await stockOf(saleId), { quantity: 49, available: 49, inCarts: 0 })
})

void tap.test('a customer who is offline hears so, keeps the cart, and gets what they clicked once they are back', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 50)])
  const shopper = await openCustomer(t, browser, address)
  const mug = `Item mug-${saleId}`
  await shopper.add(mug)
  await shopper.reads(`In your cart: 1 × ${mug}`)
  await shopper.context.setOffline(true)
  await shopper.reads('You are offline')
  await shopper.add(mug)
  await shopper.item(mug).getByRole('button', { name: 'One moment' }).waitFor()
  await shopper.cart().getByText(mug).first().waitFor()
  await shopper.context.setOffline(false)
  await shopper.reads(`In your cart: 2 × ${mug}`)
  await shopper.page.getByText('You are offline').waitFor({ state: 'detached' })
  t.same(await stockOf(saleId), { quantity: 50, available: 48, inCarts: 2 })
})

void tap.test('a request that a reload cuts off takes its units once', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 50)])
  const shopper = await openCustomer(t, browser, address)
  const mug = `Item mug-${saleId}`
  await shopper.item(mug).waitFor()
  own.line.mute()
  const sent = shopper.page.waitForRequest((request) => request.method() === 'POST')
  await shopper.add(mug)
  await sent
  await shopper.page.reload()
  own.line.mend()
  await shopper.cart().getByText(mug).first().waitFor()
  t.same(await stockOf(saleId), { quantity: 50, available: 49, inCarts: 1 })
})

// The promise is within a second or so; here it must arrive, without the page having been touched.
void tap.test('pause, resume and end reach whoever looks, and a cart can still be paid for', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 50)])
  const shopper = await openCustomer(t, browser, address)
  const mug = `Item mug-${saleId}`
  await shopper.add(mug)
  await shopper.reads(`In your cart: 1 × ${mug}`)
  await onlyEvents(shopper)
  await operate(saleId, 'pause')
  await shopper.reads('Nothing can be added right now')
  t.ok(await shopper.item(mug).getByRole('button', { name: 'Paused' }).isDisabled())
  await operate(saleId, 'resume')
  await shopper.item(mug).getByRole('button', { name: 'Add another' }).waitFor()
  await operate(saleId, 'end')
  await shopper.reads('Thank you for coming')
  t.ok(await shopper.item(mug).getByRole('button', { name: 'Sale ended' }).isDisabled())
  await shopper.checkOut()
  await shopper.fillIn()
  await shopper.pay()
  await shopper.reads('Your order is paid and saved')
})

void tap.test('a sale that is to come counts down, opens by itself, and closes at its end, whatever the customer’s clock says', { timeout }, async (t) => {
  const startsAtMs = Date.now() + 15_000
  const { saleId, address } = await sale([ware('mug', 50)], { startsAt: new Date(startsAtMs).toISOString(), endsAt: new Date(startsAtMs + 15_000).toISOString() })
  const shopper = await openCustomer(t, browser, 'about:blank')
  // A clock that is a day behind.
  await shopper.page.addInitScript('{ const now = Date.now; Date.now = () => now() - 86_400_000; Object.defineProperty(performance, "timeOrigin", { value: performance.timeOrigin - 86_400_000 }) }')
  await shopper.page.goto(address)
  await shopper.reads('Coming soon')
  t.match(await shopper.page.getByRole('timer').textContent(), /^00 hours 00 min \d\d sec $/)
  t.ok(await shopper.item(`Item mug-${saleId}`).getByRole('button', { name: 'Not yet' }).isDisabled())
  await shopper.reads('Open now')
  await shopper.reads('Ends in')
  await shopper.reads('Thank you for coming')
})
