/** What a customer is promised at the shop window, in a real browser, down to the row in Postgres. */
import { randomBytes } from 'node:crypto'
import type { Page } from 'playwright-core'
import tap, { type Test } from 'tap'
import type { Order, PublishSale } from '../../src/contract.js'
import { runOn } from '../postgres.js'
import { until } from '../races/processes.js'
import { good, openCart, openShop, pay, publish, checkOut, readOrder, tell, type Ware, ware } from '../races/shop.js'
import { openBrowser } from './chromium.js'
import { type Customer, onlyEvents, openCustomer, openWindow } from './customer.js'

/** Longer than any test here may take on a machine that is busy, in ms. */
const timeout = 120_000

const { apis: [api], stores } = await openShop(tap, { workers: 1 })
const browser = await openBrowser(tap)

/** Opens a sale of its own. @returns where it is shown */
async function sale(wares: readonly Ware[], more: Partial<PublishSale> = {}): Promise<{ saleId: string; address: string }> {
  const saleId = `sale-${randomBytes(6).toString('hex')}`
  await publish(api, wares.map((one) => ({ ...one, sku: `${one.sku}-${saleId}` })), { ...more, saleId })
  return { saleId, address: `${api}/?sale=${saleId}` }
}

/** What `publish` calls an item. */
const named = (sku: string, saleId: string) => `Item ${sku}-${saleId}`

/** @returns the order that the page shows, as the shop has it */
async function orderOf({ page }: Customer): Promise<Order> {
  return good(await readOrder(api, (await page.getByText(/^o\./).textContent())!))
}

void tap.test('whoever buys an item sees it through to the row in Postgres', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 5)])
  const shopper = await openCustomer(t, browser, address)
  await shopper.add(named('mug', saleId))
  await shopper.cart().getByText('$19.99', { exact: true }).first().waitFor()
  await shopper.checkOut()
  await shopper.fillIn()
  await shopper.pay()
  await shopper.reads('Your order is paid and saved')
  const order = await orderOf(shopper)
  t.match(order, { status: 'paid', persisted: true, customer: { name: 'Ada Lovelace', address: { country: 'US' } }, items: [{ quantity: 1 }] })
  t.strictSame(await runOn(stores.databaseUrl, 'select status from orders where order_id = $1', [order.orderId]), [{ status: 'paid' }])
  t.strictSame(shopper.complaints, [])
  t.strictSame(await shopper.context.cookies(), [], 'no cookie was set on the way')
  await shopper.page.getByRole('link', { name: 'Keep shopping' }).click()
  await shopper.item(named('mug', saleId)).getByText('4 left', { exact: true }).waitFor()
})

// The promise is within a second; here it must arrive, without the page having been touched.
void tap.test('two customers see each other’s carts as they fill and empty', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 9)])
  const [one, other] = [await openCustomer(t, browser, address), await openCustomer(t, browser, address)]
  const mug = named('mug', saleId)
  await other.item(mug).getByText('9 left', { exact: true }).waitFor()
  for (const customer of [one, other]) await onlyEvents(customer)
  await one.add(mug)
  await other.item(mug).getByText('8 left, 1 in other customers’ carts').waitFor()
  await one.item(mug).getByText('8 left', { exact: true }).waitFor()
  await other.add(mug)
  await one.item(mug).getByText('7 left, 1 in other customers’ carts').waitFor()
  await one.cart().getByRole('button', { name: `Remove ${mug}` }).click()
  await one.cart().getByText('Nothing in it yet').waitFor()
  await other.item(mug).getByText('8 left', { exact: true }).waitFor()
})

void tap.test('the last unit is told apart from a sold-out item, to whoever has it and to whoever has not', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 2)])
  const [one, other] = [await openCustomer(t, browser, address), await openCustomer(t, browser, address)]
  const mug = named('mug', saleId)
  await one.item(mug).getByText('Almost gone').waitFor()
  await one.add(mug)
  await one.reads('Held for you until')
  await one.add(mug)
  await one.item(mug).getByText('You have the last 2', { exact: true }).waitFor()
  await other.item(mug).getByText(/^All in carts, may come back at \d\d:\d\d$/).waitFor()
  t.ok(await other.item(mug).getByRole('button', { name: 'All in carts' }).isDisabled())

  await one.checkOut()
  await one.fillIn()
  await one.page.getByRole('radio', { name: 'It goes through' }).waitFor()
  await other.item(mug).getByText(/^All in carts, may/).waitFor()
  await one.pay()
  await other.item(mug).getByText('Sold out', { exact: true }).first().waitFor()
  t.ok(await other.item(mug).getByRole('button', { name: 'Sold out' }).isDisabled())
})

void tap.test('who wants more than there is hears how many there are, and how many one may have', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 3), ware('pot', 9, { maxPerCart: 1 })])
  const shopper = await openCustomer(t, browser, address)
  const [mug, pot] = [named('mug', saleId), named('pot', saleId)]
  for (const name of [mug, pot]) t.ok(await shopper.page.getByRole('button', { name: `Add to cart ${name}`, exact: true }).isEnabled(), 'a button says what it adds')
  await shopper.add(pot)
  t.ok(await shopper.item(pot).getByRole('button', { name: 'In your cart' }).isDisabled())
  await shopper.item(mug).getByText('3 left', { exact: true }).waitFor()
  // Somebody is faster, and the page has not heard of it yet.
  await shopper.page.route('**/events', (route) => route.abort())
  await shopper.page.reload()
  await shopper.item(mug).getByText('3 left', { exact: true }).waitFor()
  const theirs = good(await openCart(api, saleId, [{ sku: `mug-${saleId}`, quantity: 3 }]))
  await shopper.add(mug)
  await shopper.reads(/All that are left of .* are in other customers’ carts. Some may come back at \d\d:\d\d\./)
  await shopper.item(mug).getByText(/^All in carts, may come back at/).waitFor()
  const { orderId } = good(await checkOut(api, theirs.cartId))
  good(await pay(api, orderId, 'tok_ok'))
  await shopper.item(mug).getByText('Sold out', { exact: true }).first().waitFor()
})

void tap.test('a cart whose time runs out says so, and can be filled again with one click', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 1)], { holdSeconds: 3 })
  const shopper = await openCustomer(t, browser, address)
  const mug = named('mug', saleId)
  await shopper.add(mug)
  await shopper.reads('The time for your cart ran out')
  await shopper.cart().getByText('Nothing in it yet').waitFor()
  await shopper.item(mug).getByText('1 left', { exact: true }).waitFor()
  await shopper.page.getByRole('button', { name: 'Try to get them again' }).click()
  await shopper.reads('They are yours again')
  await shopper.cart().getByText(mug).first().waitFor()
  t.strictSame(shopper.complaints, [])
})

void tap.test('a declined card costs nothing, and another one pays', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 1)])
  const shopper = await openCustomer(t, browser, address)
  await shopper.add(named('mug', saleId))
  await shopper.checkOut()
  await shopper.fillIn()
  await shopper.pay('It is declined')
  await shopper.reads('The card was declined, and nothing was charged')
  t.match(await orderOf(shopper), { status: 'awaiting_payment', payment: { status: 'declined' } })
  await shopper.pay('The bank cannot be reached')
  await shopper.reads('The bank has not decided yet')
  await shopper.reads('The bank could not be reached, and nothing was charged')
  await shopper.pay('It takes a while')
  await shopper.reads('The bank has not decided yet')
  const { orderId, payment, total } = await orderOf(shopper)
  good(await tell(api, { eventId: orderId, type: 'payment.succeeded', orderId, paymentId: payment!.paymentId, ...total }))
  await shopper.reads('Your order is paid and saved')
})

void tap.test('where units are held from checkout on, both may have the last one in their carts, and one gets it', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 1)], { holdAt: 'checkout' })
  const [one, other] = [await openCustomer(t, browser, address), await openCustomer(t, browser, address)]
  const mug = named('mug', saleId)
  await one.add(mug)
  await one.reads('It is held for you once you check out.')
  await other.item(mug).getByText('1 left, 1 in other customers’ carts').waitFor()
  await other.add(mug)
  for (const customer of [one, other]) await customer.reads('Kept for')
  await one.checkOut()
  await one.fillIn()
  await one.page.getByRole('button', { name: /^Pay / }).waitFor()
  await other.checkOut()
  await other.fillIn()
  await other.reads(`All that are left of ${mug} are in other customers’ carts.`)
  await one.pay()
  await one.reads('Your order is paid and saved')
  await other.page.getByRole('button', { name: 'Continue to payment' }).click()
  await other.reads(`${mug} is sold out.`)
  t.match(await orderOf(one), { status: 'paid', items: [{ quantity: 1 }] })
})

void tap.test('a reload and the back button keep the cart, what was typed, and the order', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 5)])
  const shopper = await openCustomer(t, browser, address)
  await shopper.add(named('mug', saleId))
  await shopper.checkOut()
  await shopper.page.getByLabel('Full name').fill('Grace Hopper')
  await shopper.page.reload()
  await shopper.page.getByRole('heading', { name: 'Checkout' }).waitFor()
  await until('the name is there again', async () => (await shopper.page.getByLabel('Full name').inputValue()) === 'Grace Hopper')
  await shopper.page.goBack()
  await shopper.cart().getByText(named('mug', saleId)).first().waitFor()
  await shopper.page.goForward()
  await shopper.fillIn()
  await shopper.page.getByRole('button', { name: /^Pay / }).waitFor()
  await shopper.page.reload()
  await shopper.pay()
  await shopper.reads('Your order is paid and saved')
  await shopper.page.reload()
  await shopper.reads('Your order is paid and saved')
  t.match(await orderOf(shopper), { status: 'paid', items: [{ quantity: 1 }] })
})

void tap.test('a second tab has the same cart, and the same order', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 5)])
  const tab = await openCustomer(t, browser, address)
  const second = await openWindow(tab.context, address)
  const mug = named('mug', saleId)
  await second.item(mug).waitFor()
  await Promise.all([tab.add(mug), second.add(mug)])
  for (const { page } of [tab, second]) await page.getByRole('group', { name: `Quantity of ${mug}` }).getByText('2', { exact: true }).waitFor()
  await tab.item(mug).getByText('3 left', { exact: true }).waitFor()
  await tab.checkOut()
  await tab.fillIn()
  await tab.page.getByRole('button', { name: /^Pay / }).waitFor()
  await second.reads('Your order waits for its payment')
  await second.cart().getByText('Nothing in it yet').waitFor()
  await second.page.getByRole('link', { name: 'Pay now' }).click()
  await second.pay()
  await second.reads('Your order is paid and saved')
  await tab.reads('Your order is paid and saved')
})

void tap.test('details that cannot be right are named beside their fields, whoever finds them', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 5)])
  const shopper = await openCustomer(t, browser, address)
  await shopper.add(named('mug', saleId))
  await shopper.checkOut()
  await shopper.fillIn({ 'Full name': ' ', Email: 'nowhere', City: '' })
  for (const [label, words] of [['Full name', 'Full name is missing.'], ['Email', 'An email address looks like name@example.com.'], ['City', 'City is missing.']] as const) {
    const field = shopper.page.getByLabel(label, { exact: true })
    t.equal(await field.getAttribute('aria-invalid'), 'true')
    t.equal(await shopper.page.locator(`#${await field.getAttribute('aria-describedby')}`).textContent(), words)
  }
  await until('the first of them has the focus', async () => (await focused(shopper.page)).id === 'field-name')
  // Only the shop itself minds this one.
  await shopper.fillIn({ 'Full name': 'Ada\u007f' })
  await shopper.reads('This must not hold control characters.')
  t.equal(await shopper.page.getByLabel('Full name').getAttribute('aria-invalid'), 'true')
  await until('the field has the focus', async () => (await focused(shopper.page)).id === 'field-name')
  await shopper.fillIn()
  await shopper.page.getByRole('button', { name: /^Pay / }).waitFor()
})

/** What has the focus: its id, and what it is called. */
const focused = (page: Page) => page.evaluate<{ id: string; name: string }>(
  '(({ id, labels, ariaLabel, textContent }) => ({ id, name: ariaLabel || labels?.[0]?.textContent || textContent }))(document.activeElement)')

void tap.test('everything can be bought with the keyboard alone', { timeout }, async (t) => {
  const { saleId, address } = await sale([ware('mug', 5)])
  const { page, reads, item } = await openCustomer(t, browser, address)
  const press = (key: string) => page.keyboard.press(key)
  /** Goes on with Tab until something of this name has the focus. */
  async function tabTo(name: RegExp): Promise<void> {
    const seen: string[] = []
    for (let n = 0; n < 60; n += 1) {
      await press('Tab')
      const { name: it } = await focused(page)
      if (name.test(it)) return
      seen.push(it)
    }
    throw new Error(`no Tab leads to ${name}, but to ${seen.join(' | ')}`)
  }
  /** A new view is read from its heading on. */
  const reading = (heading: string) => until(`the focus is at ${heading}`, async () => (await focused(page)).name === heading)

  await item(named('mug', saleId)).waitFor()
  await tabTo(/^Add to cart/)
  await press('Enter')
  await reads('Held for you until')
  t.match((await focused(page)).name, /Add another/, 'the focus stays where it was')
  await tabTo(/^One more/)
  await press('Space')
  await reads('In your cart: 2 ×')
  await tabTo(/^Check out/)
  await press('Enter')
  await reading('Checkout')
  for (const [label, value] of [[/^Full name/, 'Ada'], [/^Email/, 'ada@example.com'], [/^Street/, '12 Main St'], [/^Postal/, '12121'], [/^City/, 'Springfield'], [/^Country/, 'Ireland']] as const) {
    await tabTo(label)
    await page.keyboard.type(value)
  }
  await press('Tab')
  await press('Enter')
  await reading('Payment')
  await tabTo(/^It goes through/)
  await tabTo(/^Pay \$39\.98/)
  await press('Enter')
  await reads('Your order is paid and saved')
  await reading('Thank you, Ada')
})

void tap.test('what an item is called is text, whatever is in it', { timeout }, async (t: Test) => {
  const { saleId } = await sale([ware('mug', 5)])
  const name = '<img src=x onerror="document.title=\'owned\'">'
  const headers = { authorization: 'Bearer operator', 'content-type': 'application/json' }
  await fetch(`${api}/v1/admin/items/evil`, { method: 'PUT', headers, body: JSON.stringify({ name, description: name, price: { amount: 5, currency: 'USD' }, quantity: 9 }) })
  const evil = await fetch(`${api}/v1/admin/sales`, { method: 'POST', headers, body: JSON.stringify({ saleId: `evil-${saleId}`.slice(0, 32), name, items: [{ sku: 'evil', allocation: 9 }] }) })
  t.equal(evil.status, 201)
  const shopper = await openCustomer(t, browser, `${api}/?sale=${`evil-${saleId}`.slice(0, 32)}`)
  await shopper.add(name)
  await shopper.reads(`In your cart: 1 × ${name}`)
  t.equal(await shopper.page.locator('img').count(), 0)
  t.not(await shopper.page.title(), 'owned')
  t.strictSame(shopper.complaints, [])
})
