/** Every state of the shop window, for whoever cannot see it well, has a small screen, or a slow line. */
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import tap from 'tap'
import type { PublishSale } from '../../src/contract.js'
import { adminToken } from '../races/processes.js'
import { call, good, openShop, publish, readOrder, tell, type Ware, ware } from '../races/shop.js'
import { moveTime } from '../redis.js'
import { violations } from './axe.js'
import { openBrowser } from './chromium.js'
import { type Customer, openCustomer } from './customer.js'

/** Longer than any test here may take on a machine that is busy, in ms. */
const timeout = 180_000
/** What the first load of the shop window may take, compressed, in bytes. */
const firstLoadBound = 60_000
/** The smallest screen, and a large one. */
const widths = [360, 1_440]

const { apis: [api], redis } = await openShop(tap, { workers: 1 })
const browser = await openBrowser(tap)

async function sale(wares: readonly Ware[], more: Partial<PublishSale> = {}): Promise<{ saleId: string; address: string; name: string }> {
  const saleId = `sale-${randomBytes(6).toString('hex')}`
  await publish(api, wares.map((one) => ({ ...one, sku: `${one.sku}-${saleId}` })), { ...more, saleId })
  return { saleId, address: `${api}/?sale=${saleId}`, name: `Item ${wares[0]!.sku}-${saleId}` }
}

/** @returns what is wrong with a state of the page: with its accessibility, bright and dark, and with its width */
async function wrong({ page }: Customer): Promise<string[]> {
  const found = await violations(page)
  for (const width of widths) {
    await page.setViewportSize({ width, height: 800 })
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth')
    if (wide > width) found.push(`at ${width} px it is ${wide} px wide`)
  }
  const inline = await page.evaluate<number>('document.querySelectorAll("[style], style, script:not([src])").length')
  if (inline > 0) found.push(`${inline} scripts or styles are inline`)
  return found
}

void tap.test('the whole way from the sale to the saved order is accessible, and fits a small screen', { timeout }, async (t) => {
  const nobody = await openCustomer(t, browser, api)
  await nobody.reads('There is no sale right now')
  t.strictSame(await wrong(nobody), [], 'no sale')

  const { address, name } = await sale([ware('mug', 4), ware('pot', 80, { maxPerCart: 2 })], { endsAt: new Date(Date.now() + 3_600_000).toISOString() })
  const shopper = await openCustomer(t, browser, address)
  await shopper.item(name).waitFor()
  t.strictSame(await wrong(shopper), [], 'open')
  await shopper.add(name)
  await shopper.reads('Held for you until')
  t.strictSame(await wrong(shopper), [], 'with a cart')
  await shopper.page.getByRole('link', { name: 'Check out' }).click()
  await shopper.page.getByRole('button', { name: 'Continue to payment' }).click()
  await shopper.reads('Full name is missing.')
  t.strictSame(await wrong(shopper), [], 'with details missing')
  await shopper.fillIn()
  await shopper.pay('It is declined')
  await shopper.reads('The card was declined')
  t.strictSame(await wrong(shopper), [], 'declined')
  await shopper.page.getByRole('link', { name: 'Back to the sale' }).click()
  await shopper.reads('Your order waits for its payment')
  t.strictSame(await wrong(shopper), [], 'an order to be paid')
  await shopper.page.getByRole('link', { name: 'Pay now' }).click()
  await shopper.pay('It takes a while')
  await shopper.reads('The bank has not decided yet')
  t.strictSame(await wrong(shopper), [], 'pending')
})

void tap.test('so is every state of a sale and of an order', { timeout }, async (t) => {
  const { address, name, saleId } = await sale([ware('mug', 1)], { holdSeconds: 20 })
  const shopper = await openCustomer(t, browser, address)
  await shopper.add(name)
  await shopper.reads('Half a minute left for your cart')
  const other = await openCustomer(t, browser, address)
  await other.reads('All in carts, may come back at')
  t.strictSame(await wrong(other), [], 'all in carts')
  await shopper.checkOut()
  await shopper.fillIn()
  await shopper.pay()
  await shopper.reads('Your order is paid and saved')
  t.strictSame(await wrong(shopper), [], 'paid and saved')
  await other.item(name).getByText('Sold out', { exact: true }).first().waitFor()
  t.strictSame(await wrong(other), [], 'sold out')
  for (const [what, words] of [['pause', 'Nothing can be added right now'], ['end', 'Thank you for coming']] as const) {
    await call('POST', `${api}/v1/admin/sales/${saleId}/${what}`, { headers: { authorization: `Bearer ${adminToken}` } })
    await other.reads(words)
    t.strictSame(await wrong(other), [], what)
  }
  const coming = await sale([ware('mug', 1)], { startsAt: new Date(Date.now() + 90 * 3_600_000).toISOString() })
  await other.page.goto(coming.address)
  await other.reads('Coming soon')
  t.strictSame(await wrong(other), [], 'to come')
  await other.page.goto(`${coming.address}#order`)
  await other.reads('There is no order yet')
  t.strictSame(await wrong(other), [], 'no order')
  await other.page.goto(`${coming.address}#checkout`)
  await other.reads('Your cart is empty')
  t.strictSame(await wrong(other), [], 'nothing to check out')
})

void tap.test('so is every end of an order that was not paid in time', { timeout }, async (t) => {
  const { address, saleId } = await sale([ware('mug', 2), ware('pot', 2)])
  const [one, other] = [await openCustomer(t, browser, address), await openCustomer(t, browser, address)]
  const orders: string[] = []
  for (const [customer, kind] of [[one, 'mug'], [other, 'pot']] as const) {
    await customer.add(`Item ${kind}-${saleId}`)
    await customer.checkOut()
    await customer.fillIn()
    await customer.page.getByRole('radio', { name: 'It goes through' }).waitFor()
    orders.push((await customer.page.getByText(/^o\./).textContent())!)
  }
  const [orderId = '', lateId = ''] = orders
  await call('DELETE', `${api}/v1/orders/${orderId}`)
  await one.page.reload()
  await one.reads('Your order is cancelled')
  t.strictSame(await wrong(one), [], 'cancelled')
  const { total } = good(await readOrder(api, orderId))
  good(await tell(api, { eventId: orderId, type: 'payment.succeeded', orderId, paymentId: `late-${saleId}`, ...total }))
  await one.page.reload()
  await one.reads('You got your money back')
  t.strictSame(await wrong(one), [], 'refunded')

  await moveTime(redis, saleId, 3_600_000)
  t.equal(good(await readOrder(api, lateId)).status, 'expired')
  await other.page.reload()
  await other.reads('The time to pay ran out')
  t.strictSame(await wrong(other), [], 'expired')
})

void tap.test('the first load is small', { timeout }, async (t) => {
  const html = await (await fetch(api)).text()
  const assets = [...html.matchAll(/"(\/assets\/[^"]+)"/g)].map(([, path]) => path!)
  const texts = [html, ...await Promise.all(assets.map(async (path) => (await fetch(`${api}${path}`)).text()))]
  const bytes = texts.reduce((sum, text) => sum + gzipSync(text).length, 0)
  t.comment(`${bytes} bytes, compressed`)
  t.ok(assets.length >= 2 && bytes < firstLoadBound, `${bytes} bytes are less than ${firstLoadBound}`)
})
