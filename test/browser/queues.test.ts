/** The queue's pages in a browser: opened from the control room, and from nowhere else. */
import { createHmac } from 'node:crypto'
import tap from 'tap'
import { adminToken } from '../races/processes.js'
import { openShop, publish, ware } from '../races/shop.js'
import { openBrowser } from './chromium.js'
import { openOperator } from './operator.js'

const { apis: [api] } = await openShop(tap)
await publish(api, [ware('mug', 5)])
const browser = await openBrowser(tap)

void tap.test('an operator opens the queue from the control room, with a cookie that is not the token', async (t) => {
  const { page, context, signIn, button, complaints, asked } = await openOperator(t, browser, api)
  await signIn()
  t.strictSame(await context.cookies(), [], 'the control room itself needs none')
  await button('Queue’s jobs').click()
  await page.waitForURL(`${api}/admin/queues/`)
  await page.getByText('Orders to Postgres').first().waitFor()
  const cookies = await context.cookies(`${api}/admin/queues/`)
  t.match(cookies, [{ name: 'flash_sale_queues', path: '/admin/queues', httpOnly: true, secure: false, sameSite: 'Strict' }])
  t.equal(cookies.length, 1)
  const [{ value, expires }] = cookies as [(typeof cookies)[number]]
  t.notMatch(value, adminToken)
  t.ok(expires > Date.now() / 1_000 && expires < Date.now() / 1_000 + 901)
  t.strictSame(await context.cookies(`${api}/admin`), [], 'no other page is sent it')
  t.strictSame(complaints, [], 'the policy forbids nothing that the page needs')
  t.strictSame(asked.filter((url) => !url.startsWith(`${api}/`)), [], 'nobody else hears that somebody looks')
  t.match((await page.request.get(`${api}/admin/queues/`)).headers()['content-security-policy'], /script-src 'self';.*style-src 'self' 'unsafe-inline'/)
})

void tap.test('whoever has no cookie, or one that is over, lands where the token is asked for', async (t) => {
  const { page, context } = await openOperator(t, browser, api)
  const past = Math.floor(Date.now() / 1_000) - 1
  const over = `${past}.${createHmac('sha256', adminToken).update(`/admin/queues ${past}`).digest('base64url')}`
  for (const value of [null, over, 'forged']) {
    if (value !== null) await context.addCookies([{ name: 'flash_sale_queues', value, domain: '127.0.0.1', path: '/admin/queues' }])
    await page.goto(`${api}/admin/queues/`)
    t.equal(page.url(), `${api}/admin`)
    await page.getByLabel('Admin token').waitFor()
    t.equal((await page.request.get(`${api}/admin/queues/api/queues`)).status(), 401)
  }
})
