/** The control room, as an operator sees and uses it, in a real browser. */
import tap, { type Test } from 'tap'
import { shardKey } from '../../src/keys.js'
import { adminToken, startApi, until } from '../races/processes.js'
import { call, good, openCart, openShop, publish, ware } from '../races/shop.js'
import { violations } from './axe.js'
import { openBrowser } from './chromium.js'
import { openCustomer } from './customer.js'
import { openOperator, type OperatorPage } from './operator.js'

const { apis: [api], redis, stores } = await openShop(tap, { workers: 1 })
const browser = await openBrowser(tap)
const phone = { viewport: { width: 360, height: 740 } }

let sales = 0
/** A sale of its own, of ten lamps and five mugs. @returns its id */
async function openSale(): Promise<string> {
  sales += 1
  const saleId = `sale-${sales}`
  await publish(api, [ware(`lamp-${sales}`, 10, { quantity: 20 }), ware(`mug-${sales}`, 5)], { saleId, name: `Sale ${sales}` })
  return saleId
}

/** An operator who watches a sale of its own. */
async function watch(t: Test, options = {}): Promise<OperatorPage & { saleId: string }> {
  const saleId = await openSale()
  const operator = await openOperator(t, browser, api, options)
  await operator.signIn()
  await operator.choose(saleId)
  await operator.reads(/^Every rule holds/)
  return { ...operator, saleId }
}

const overflow = ({ page }: OperatorPage) => page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
/** Asserts what holds in every state: nothing for axe to hold against it, and nothing wider than a telephone. */
async function sound(t: Test, operator: OperatorPage, what: string): Promise<void> {
  t.strictSame(await violations(operator.page), [], `${what}: whoever cannot see it`)
  const size = operator.page.viewportSize()!
  await operator.page.setViewportSize(phone.viewport)
  t.equal(await overflow(operator), 0, `${what}: on a telephone`)
  await operator.page.setViewportSize(size)
  t.strictSame(operator.complaints, [], what)
}

void tap.test('a wrong token is said clearly, and asked for again', async (t) => {
  const operator = await openOperator(t, browser, api)
  await operator.page.getByLabel('Admin token').waitFor()
  await sound(t, operator, 'the question')
  for (const wrong of ['wrong', 'größer']) {
    await operator.signIn(wrong)
    await operator.page.getByRole('alert').getByText('The API does not take this token').waitFor()
  }
  await sound(t, operator, 'the refusal')
  await operator.signIn()
  await operator.page.getByRole('heading', { name: 'Control room' }).waitFor()
  await operator.button('Leave').click()
  await operator.page.getByLabel('Admin token').waitFor()
  t.equal(await operator.page.evaluate('sessionStorage.length'), 0, 'who leaves takes the token along')
})

void tap.test('a token that is not taken any more is asked for again, whatever the page was at', async (t) => {
  const operator = await watch(t)
  await operator.page.evaluate('sessionStorage.setItem("flash-sale.admin-token", "of-yesterday")')
  await operator.page.reload()
  await operator.page.getByRole('alert').getByText('The API does not take this token any more').waitFor()
  await operator.signIn()
  await operator.region('Units').waitFor()
})

void tap.test('the token is in this tab alone: in no address, no cookie, no line of the log', async (t) => {
  const token = 'token-that-nobody-else-may-see'
  const own = await startApi(t, stores, { ADMIN_TOKEN: token, LOG_LEVEL: 'trace' })
  const saleId = await openSale()
  const operator = await openOperator(t, browser, own.url)
  await operator.signIn(`${token}s`)
  await operator.page.getByRole('alert').getByText('The API does not take this token').waitFor()
  await operator.signIn(token)
  await operator.choose(saleId)
  await operator.reads(/^Every rule holds/)
  await operator.button('Queue’s jobs').click()
  await operator.page.waitForURL('**/admin/queues/')
  await operator.page.goto(`${own.url}/admin`)
  await operator.region('Units').waitFor()
  t.ok(operator.asked.length > 10)
  t.strictSame(operator.asked.filter((url) => url.includes(token) || !url.startsWith(`${own.url}/`)), [], 'nor is anything asked of anybody else')
  t.notMatch(operator.page.url(), token)
  t.notMatch(JSON.stringify(await operator.context.storageState()), token, 'no cookie and nothing that outlives the tab')
  const other = await operator.context.newPage()
  await other.goto(`${own.url}/admin`)
  await other.getByLabel('Admin token').waitFor()
  await own.stop()
  t.ok(own.lines.length > 0)
  t.strictSame(own.lines.filter((line) => line.includes(token)), [])
})

void tap.test('where the API does not answer, what is shown is said to be old, and the audit says nothing', async (t) => {
  const own = await startApi(t, stores)
  const saleId = await openSale()
  const operator = await openOperator(t, browser, own.url)
  await operator.signIn()
  await operator.choose(saleId)
  await operator.reads(/^Every rule holds/)
  await own.stop()
  await operator.reads('What is shown is not new: The API does not answer')
  const audit = operator.region('Audit')
  await audit.getByRole('button', { name: 'Check now' }).click()
  await audit.getByText('The audit cannot be had: The API does not answer').waitFor()
  t.match(await audit.getByRole('status').textContent(), /^OVERSOLD \? /)
  await sound(t, operator, 'nobody answers')
})

void tap.test('a sale that is paused here is paused in the shop window, and goes on again', async (t) => {
  const operator = await watch(t)
  const customer = await openCustomer(t, browser, `${api}/?sale=${operator.saleId}`)
  await customer.reads('Open now')
  await operator.button('Pause the sale').click()
  await operator.reads('The sale is paused: nobody can take units.')
  await operator.region(/^Sale \d/).getByText('State: Paused').waitFor()
  await customer.reads('The sale is paused.')
  await operator.button('Resume the sale').click()
  await operator.reads('The sale goes on.')
  await customer.reads('The sale is open.')
  t.strictSame(operator.complaints, [])
})

void tap.test('a sale is ended only by who says so twice', async (t) => {
  const operator = await watch(t)
  const { page } = operator
  const state = async () => good(await call<{ status: string }>('GET', `${api}/v1/sales/${operator.saleId}`)).status
  await operator.button('End the sale…').click()
  const dialog = page.getByRole('dialog', { name: /^End Sale/ })
  await dialog.waitFor()
  await sound(t, operator, 'the question')
  await dialog.getByRole('button', { name: 'Keep it running' }).click()
  t.equal(await state(), 'open')
  await operator.button('End the sale…').click()
  await dialog.getByRole('button', { name: 'End the sale now' }).click()
  await operator.reads('The sale has ended.')
  t.equal(await state(), 'ended')
  await until('nothing is left to be done about it', async () => (await operator.button('End the sale…').count()) === 0)
})

void tap.test('everything can be done with the keyboard', async (t) => {
  const saleId = await openSale()
  const operator = await openOperator(t, browser, api)
  const { page } = operator
  await page.getByLabel('Admin token').waitFor()
  await page.keyboard.type(adminToken)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Control room' }).waitFor()
  await operator.choose(saleId)
  await operator.reads(/^Every rule holds/)
  const focused = () => page.evaluate<string>('document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent')
  async function tabTo(name: string): Promise<void> {
    for (let i = 0; i < 40; i += 1) {
      if ((await focused()) === name) return
      await page.keyboard.press('Tab')
    }
    t.fail(`${name} cannot be reached`)
  }
  await page.getByRole('heading', { name: 'Control room' }).focus()
  await tabTo('Pause the sale')
  t.notSame(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none', 'one sees where one is')
  await page.keyboard.press('Enter')
  await operator.reads('The sale is paused: nobody can take units.')
  await page.getByRole('heading', { name: 'Control room' }).focus()
  await tabTo('End the sale…')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await until('what does no harm has the focus', async () => (await focused()) === 'Keep it running')
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await until('one is back where one was', async () => (await focused()) === 'End the sale…')
  await page.keyboard.press('Enter')
  await tabTo('End the sale now')
  await page.keyboard.press('Enter')
  await operator.reads('The sale has ended.')
})

void tap.test('each item’s units are told as numbers: sold, in orders, in carts, available', async (t) => {
  const operator = await watch(t)
  const sku = operator.saleId.replace('sale', 'lamp')
  good(await openCart(api, operator.saleId, [{ sku, quantity: 3 }]))
  const item = operator.page.getByRole('listitem').filter({ has: operator.page.getByRole('heading', { name: `Item ${sku}` }) })
  await item.getByText(/Sold0In orders0In carts3Available7Of10/).waitFor()
  await sound(t, operator, 'a sale that runs')
  await operator.page.getByText('The last readings as a table').click()
  await operator.page.locator('.told tbody tr').nth(1).waitFor()
  await sound(t, operator, 'the readings as a table')
})

void tap.test('a restock with its reason is in the sale and in the shop window at once, and pressed again after a lost answer it counts once', async (t) => {
  const operator = await watch(t)
  const sku = operator.saleId.replace('sale', 'lamp')
  const customer = await openCustomer(t, browser, `${api}/?sale=${operator.saleId}`)
  await customer.item(`Item ${sku}`).getByText('10 left').waitFor()
  const restock = operator.region('Restock')
  await operator.button(`Restock Item ${sku}`).click()
  await until('the item is chosen', async () => (await restock.getByRole('combobox').inputValue()) === sku)
  await restock.getByLabel('Units').fill('7')
  await restock.getByLabel('Reason').fill('found in the van')
  // The first answer is lost on its way: it is done, and nobody here knows.
  await operator.page.route('**/adjustments', async (route) => {
    await route.fetch()
    await route.abort()
  }, { times: 1 })
  await restock.getByRole('button', { name: 'Restock' }).click()
  await restock.getByRole('status').getByText('The API does not answer').waitFor()
  await restock.getByRole('button', { name: 'Restock' }).click()
  await restock.getByRole('status').getByText(`+7 units of Item ${sku}.`).waitFor()
  await customer.item(`Item ${sku}`).getByText('17 left').waitFor()
  await operator.page.getByRole('listitem').filter({ hasText: sku }).getByText(/Available17Of17/).waitFor()

  await restock.getByRole('combobox').selectOption(sku)
  await restock.getByLabel('Units').fill('-18')
  await restock.getByLabel('Reason').fill('too many')
  await restock.getByRole('button', { name: 'Restock' }).click()
  await restock.getByRole('status').getByText('(below_committed)').waitFor()
  await sound(t, operator, 'a refusal')
})

void tap.test('the audit is one word: green while every rule holds, red with each violation in full when one does not', async (t) => {
  const operator = await watch(t)
  const { saleId } = operator
  const sku = saleId.replace('sale', 'lamp')
  const audit = operator.region('Audit')
  const verdict = async () => (await audit.getByRole('status').textContent()) ?? ''
  const look = () => audit.getByRole('button', { name: 'Check now' }).click()
  const shown = () => audit.evaluate((element) => [...element.classList].join(' '))
  t.match(await verdict(), /^OVERSOLD 0 Every rule holds/)
  t.equal(await shown(), 'verdict card whole')

  const stock = shardKey({ saleId, shard: 0 }, 'stock')
  const sound10 = (await redis.hget(stock, sku))!
  t.match(sound10, /^10 10 0 0 0 /)
  await redis.hset(stock, sku, sound10.replace('10 10 0 0 0', '10 0 0 0 12'))
  await look()
  await audit.getByText(`of 10 allocated, 0 are available, 0 held, 12 sold`).waitFor()
  await audit.getByText(`12 are sold, 0 persisted and 0 on their way`).waitFor()
  t.match(await verdict(), /^OVERSOLD 2 2 violations/)
  t.equal(await shown(), 'verdict card broken')
  await sound(t, operator, 'a sale that is broken')

  await redis.hset(stock, sku, sound10.replace('10 10 0 0 0', '10 9 0 0 0'))
  await look()
  await audit.getByText(`of 10 allocated, 9 are available, 0 held, 0 sold`).waitFor()
  t.match(await verdict(), /^OVERSOLD 0 1 violation:/, 'another rule makes it red as well')
  t.equal(await shown(), 'verdict card broken')

  await redis.hset(stock, sku, sound10)
  await look()
  await audit.getByText('Every rule holds').waitFor()
  t.equal(await shown(), 'verdict card whole')
})

void tap.test('an item’s name is text, whatever it says', async (t) => {
  const name = '<img src=x onerror="document.title=1">'
  const headers = { authorization: `Bearer ${adminToken}` }
  good(await call('PUT', `${api}/v1/admin/items/evil`, { body: { name, price: { amount: 1, currency: 'USD' }, quantity: 5 }, headers }))
  good(await call('POST', `${api}/v1/admin/sales`, { body: { saleId: 'evil', name: `${name} sale`, items: [{ sku: 'evil', allocation: 5 }] }, headers }))
  const operator = await openOperator(t, browser, api)
  await operator.signIn()
  await operator.choose('evil')
  await operator.page.getByRole('heading', { level: 3, name }).waitFor()
  await operator.page.getByRole('heading', { level: 2, name: `${name} sale` }).waitFor()
  await operator.button('New sale').click()
  await operator.page.getByLabel('or pasted').fill(`sku,name,price,allocation\nevil,"${name.replaceAll('"', '""')}",1,1`)
  await operator.region('Preview').getByText(name).waitFor()
  t.equal(await operator.page.locator('img').count(), 0)
  t.equal(await operator.page.title(), 'Control room')
  t.strictSame(operator.complaints, [])
})
