/** Answers that are lost, come late, or are not the shop's: a customer keeps what is theirs, and is told what is so. */
import { randomBytes } from 'node:crypto'
import type { Page, Route } from 'playwright-core'
import tap from 'tap'
import type { Order } from '../../src/contract.js'
import { problem } from '../../src/problems.js'
import { good, openCart, openShop, publish, readOrder, removeCart, ware } from '../races/shop.js'
import { openBrowser } from './chromium.js'
import { type Customer, openCustomer } from './customer.js'

/** Longer than any test here may take on a machine that is busy, in ms. */
const timeout = 120_000

const { apis: [api] } = await openShop(tap, { workers: 1 })
const browser = await openBrowser(tap)

/** Opens a sale of so many mugs. */
async function sale(units: number): Promise<{ saleId: string; address: string; sku: string; mug: string }> {
  const saleId = `sale-${randomBytes(6).toString('hex')}`
  const sku = `mug-${saleId}`
  await publish(api, [ware(sku, units)], { saleId })
  return { saleId, address: `${api}/?sale=${saleId}`, sku, mug: `Item ${sku}` }
}

/** @returns the order that the page shows, as the shop has it */
async function orderOf({ page }: Customer): Promise<Order> {
  return good(await readOrder(api, (await page.getByText(/^o\./).textContent())!))
}

const cartIdOf = ({ page }: Customer, saleId: string) => page.evaluate<string>(`JSON.parse(localStorage.getItem('flash-sale:${saleId}')).cartId`)

const payButton = (page: Page) => page.getByRole('button', { name: /^Pay / })

const orderNotFound = (route: Route) => route.fulfill({ status: 404, json: problem({ refused: 'order_not_found' }) })

for (const [what, late] of [['answer', (route: Route) => route.continue()], ['refusal', orderNotFound]] as const) {
  void tap.test(`a late ${what} about an order does not touch the one that was made since`, { timeout }, async (t) => {
    const { address, mug } = await sale(5)
    const shopper = await openCustomer(t, browser, address)
    const { page } = shopper
    const order = async () => {
      await shopper.add(mug)
      await shopper.checkOut()
      await shopper.fillIn()
      await payButton(page).waitFor()
    }
    await order()
    await shopper.pay('It takes a while')
    await shopper.reads('The bank has not decided yet')
    const earlier = await orderOf(shopper)
    const aboutEarlier = `/v1/orders/${encodeURIComponent(earlier.orderId)}`
    let release = () => {}
    const released = new Promise<void>((resolve) => { release = resolve })
    const asked = page.waitForRequest((request) => new URL(request.url()).pathname === aboutEarlier)
    await page.route(({ pathname }) => pathname === aboutEarlier, async (route) => {
      await released
      // The page may have given this one up, and asked again.
      await late(route).catch(() => {})
    })
    await asked
    await page.getByRole('link', { name: 'Back to the sale' }).click()
    await order()
    const newer = await orderOf(shopper)
    t.not(newer.orderId, earlier.orderId)
    const heard = page.waitForResponse((response) => new URL(response.url()).pathname === aboutEarlier)
    release()
    await (await heard).finished()
    await shopper.pay()
    await shopper.reads('Your order is paid and saved')
    t.match(await orderOf(shopper), { orderId: newer.orderId, status: 'paid' })
    await page.reload()
    await shopper.reads('Your order is paid and saved')
    t.equal((await orderOf(shopper)).orderId, newer.orderId)
    t.match(good(await readOrder(api, earlier.orderId)), { status: 'payment_pending' })
  })
}

void tap.test('a card is declined once, even where the bank’s no is lost on its way', { timeout }, async (t) => {
  const { address, mug } = await sale(5)
  const shopper = await openCustomer(t, browser, address)
  await shopper.add(mug)
  await shopper.checkOut()
  await shopper.fillIn()
  let charges = 0
  await shopper.page.route('**/payments', async (route) => {
    charges += 1
    t.equal((await route.fetch()).status(), 402)
    await route.abort()
  })
  for (const click of [1, 2]) {
    await shopper.pay('It is declined')
    await shopper.reads('The card was declined, and nothing was charged')
    t.equal(charges, click)
    t.match(await orderOf(shopper), { status: 'awaiting_payment', payment: { status: 'declined' } })
    await shopper.page.getByRole('button', { name: 'Dismiss this message' }).click()
  }
  await shopper.page.unroute('**/payments')
  await shopper.pay()
  await shopper.reads('Your order is paid and saved')
})

const notTheShops = (route: Route) => route.fulfill({ status: 502, json: { message: 'An invalid response was received from the upstream server' } })
const tooSlow = (route: Route) => route.fulfill({ status: 408, json: problem({ refused: 'request_timeout' }) })

void tap.test('a cart and an order outlast answers that are not the shop’s, and refusals that do not say that they are gone', { timeout }, async (t) => {
  const { address, mug } = await sale(5)
  const shopper = await openCustomer(t, browser, address)
  const { page } = shopper
  /** Reloads the page, which must then show something once the answers at an address are the shop's again. */
  async function outlasts(those: string, shown: () => Promise<void>): Promise<void> {
    await page.route(those, notTheShops)
    await page.reload()
    await shopper.reads('The shop cannot be reached right now')
    await page.unroute(those)
    await shown()
    await page.route(those, tooSlow)
    const refused = page.waitForResponse((response) => response.status() === 408)
    await page.reload()
    await (await refused).finished()
    await page.unroute(those)
    await page.reload()
    await shown()
  }
  await shopper.add(mug)
  await shopper.reads(`In your cart: 1 × ${mug}`)
  await outlasts('**/v1/carts/*', () => shopper.cart().getByText(mug).first().waitFor())
  await shopper.checkOut()
  await shopper.fillIn()
  await payButton(page).waitFor()
  await outlasts('**/v1/orders/*', () => payButton(page).waitFor())
  await shopper.pay()
  await shopper.reads('Your order is paid and saved')
})

void tap.test('a line of a cart that is gone is not changed to something else: its customer hears so, and can get everything again', { timeout }, async (t) => {
  const { saleId, address, mug } = await sale(3)
  const shopper = await openCustomer(t, browser, address)
  const more = shopper.page.getByRole('button', { name: `One more of ${mug}` })
  await shopper.add(mug)
  await more.click()
  await shopper.reads(`In your cart: 2 × ${mug}`)
  for (const change of ['One less', 'One more']) {
    await removeCart(api, await cartIdOf(shopper, saleId))
    await shopper.page.getByRole('button', { name: `${change} of ${mug}` }).click()
    await shopper.reads('Your cart is gone')
    await shopper.item(mug).getByText('3 left', { exact: true }).waitFor()
    await shopper.page.getByRole('button', { name: 'Try to get them again' }).click()
    await shopper.reads('They are yours again')
    await shopper.page.getByRole('group', { name: `Quantity of ${mug}` }).getByText('2', { exact: true }).waitFor()
  }
  await removeCart(api, await cartIdOf(shopper, saleId))
  await shopper.add(mug)
  await shopper.reads(`In your cart: 1 × ${mug}`)
  await shopper.item(mug).getByText('2 left', { exact: true }).waitFor()
})

void tap.test('a line can grow as long as there are units, by the live numbers', { timeout }, async (t) => {
  const { saleId, address, sku, mug } = await sale(2)
  const shopper = await openCustomer(t, browser, address)
  await shopper.add(mug)
  await shopper.reads(`In your cart: 1 × ${mug}`)
  const more = shopper.page.getByRole('button', { name: `One more of ${mug}` })
  t.ok(await more.isEnabled())
  const theirs = good(await openCart(api, saleId, [{ sku, quantity: 1 }]))
  await shopper.item(mug).getByText('All in carts, may come back').waitFor()
  t.ok(await more.isDisabled())
  await removeCart(api, theirs.cartId)
  await shopper.item(mug).getByText('1 left', { exact: true }).waitFor()
  t.ok(await more.isEnabled())
})

void tap.test('whoever’s browser speaks a language that nobody knows can check out', { timeout }, async (t) => {
  const { address, mug } = await sale(1)
  const shopper = await openCustomer(t, browser, 'about:blank')
  await shopper.page.addInitScript('Object.defineProperty(navigator, "language", { value: "en_US@posix" })')
  await shopper.page.goto(address)
  await shopper.add(mug)
  await shopper.checkOut()
  await shopper.fillIn()
  await payButton(shopper.page).waitFor()
  t.strictSame(shopper.complaints, [])
})

void tap.test('whoever’s browser keeps nothing can buy', { timeout }, async (t) => {
  const { address, mug } = await sale(1)
  const shopper = await openCustomer(t, browser, 'about:blank')
  await shopper.page.addInitScript('Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError") }')
  await shopper.page.goto(address)
  await shopper.add(mug)
  await shopper.checkOut()
  await shopper.fillIn()
  await shopper.pay()
  await shopper.reads('Your order is paid and saved')
  t.strictSame(shopper.complaints, [])
})
