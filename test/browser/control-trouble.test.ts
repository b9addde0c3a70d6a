/** What an operator is told while something is away or late, and that the control room stays with the sale that it shows. */
import tap, { type Test } from 'tap'
import { forward, portOf, through } from '../races/forwarder.js'
import { adminToken, startApi, until } from '../races/processes.js'
import { openShop, publish, ready, ware } from '../races/shop.js'
import { openBrowser } from './chromium.js'
import { openOperator, type OperatorPage } from './operator.js'

const { apis: [api], stores } = await openShop(tap, { workers: 1 })
const browser = await openBrowser(tap)
for (const name of ['one', 'two']) await publish(api, [ware(`mug-${name}`, 10, { quantity: 20 })], { saleId: name, name: `Sale ${name}` })

async function open(t: Test, url = api): Promise<OperatorPage & { shown(): Promise<string> }> {
  const operator = await openOperator(t, browser, url)
  await operator.signIn()
  await operator.reads(/^Every rule holds/)
  return { ...operator, shown: () => operator.page.getByLabel('Sale', { exact: true }).inputValue() }
}

void tap.test('what the engine stands on is told as it is: there, away, or not known to anybody', async (t) => {
  const line = await forward(t, portOf(stores.redisUrl, 6379))
  const own = await startApi(t, { ...stores, redisUrl: through(stores.redisUrl, line) })
  await ready(own.url)
  const { page } = await open(t, own.url)
  const strip = page.getByRole('list', { name: 'What the engine stands on' })
  const says = (part: string) => strip.getByText(part, { exact: true }).waitFor()
  await says('Redis there')
  line.cut()
  await says('Redis away')
  await says('Postgres there')
  line.mend()
  await says('Redis there')
  await own.stop()
  for (const part of ['Redis', 'Postgres', 'Workers']) await says(`${part} unknown`)
})

void tap.test('whoever pauses the sale that is shown first goes on seeing it, though another one is open', async (t) => {
  const { page, button, shown, region } = await open(t)
  const first = await shown()
  await button('Pause the sale').click()
  await region(`Sale ${first}`).getByText('State: Paused').waitFor()
  await button('Resume the sale').click()
  await region(`Sale ${first}`).getByText('State: Open').waitFor()
  t.equal(await shown(), first)
  t.equal(await page.getByRole('status').getByText('The sale goes on.').count(), 1)
})

void tap.test('names that could not be read are read again, so that the sale can be restocked', async (t) => {
  const operator = await openOperator(t, browser, api)
  const refused = operator.page.waitForEvent('requestfailed', (request) => request.url().endsWith('/v1/sales/one'))
  await operator.page.route('**/v1/sales/one', (route) => route.abort(), { times: 1 })
  await operator.signIn()
  await operator.choose('one')
  await refused
  await operator.region('Restock').getByRole('option', { name: 'Item mug-one (mug-one)' }).waitFor({ state: 'attached' })
})

void tap.test('a sale that has not started can be ended, and not be paused', async (t) => {
  const startsAt = new Date(Date.now() + 86_400_000).toISOString()
  await publish(api, [ware('mug-later', 10)], { saleId: 'later', name: 'Sale later', startsAt })
  const { choose, region, button } = await open(t)
  await choose('later')
  await region('Sale later').getByText('State: Scheduled').waitFor()
  await button('End the sale…').waitFor()
  t.equal(await button('Pause the sale').count(), 0)
})

void tap.test('a late refusal of a token that was left does not end a new sign-in', async (t) => {
  const { page, button, signIn, region, reads } = await openOperator(t, browser, api)
  // The API took another token yesterday.
  await page.route('**/v1/**', (route) => {
    const headers = route.request().headers()
    return route.continue({ headers: { ...headers, ...(headers['authorization'] === 'Bearer of-yesterday' && { authorization: `Bearer ${adminToken}` }) } })
  })
  await signIn('of-yesterday')
  await reads(/^Every rule holds/)
  let refuse = (): void => {}
  await page.route('**/figures', (route) => new Promise<void>((resolve) => {
    refuse = () => void route.fulfill({ status: 401, contentType: 'application/problem+json', body: '{"status":401,"code":"unauthorized","detail":"Late."}' }).then(resolve)
  }), { times: 1 })
  await page.waitForRequest('**/figures')
  await button('Leave').click()
  await signIn()
  await region('Units').waitFor()
  const late = page.waitForResponse((response) => response.status() === 401)
  refuse()
  await late
  // Asked by the room, if it is still there.
  await page.waitForResponse((response) => response.url().endsWith('/figures') && response.ok())
  await until('its numbers are shown', async () => region('Units').isVisible())
})
