/** An operator in front of the control room: what they do there, by the names that are read out to them. */
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import { adminToken } from '../races/processes.js'

/** How long anything on a page may take before its test fails, in ms. */
const boundMs = 30_000

export interface OperatorPage {
  readonly page: Page
  readonly context: BrowserContext
  /** What the page has logged as an error, and what it has thrown. */
  readonly complaints: readonly string[]
  /** Every address that the page has asked for. */
  readonly asked: readonly string[]
  signIn(token?: string): Promise<void>
  choose(saleId: string): Promise<void>
  region(name: string | RegExp): Locator
  button(name: string | RegExp): Locator
  /** Waits until this is to be read on the page. */
  reads(text: string | RegExp): Promise<void>
}

export async function openOperator(t: Pick<Test, 'teardown'>, browser: Browser, api: string, options: BrowserContextOptions = {}): Promise<OperatorPage> {
  const context = await browser.newContext({ viewport: { width: 1_440, height: 900 }, locale: 'en-US', timezoneId: 'UTC', ...options })
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(boundMs)
  const complaints: string[] = []
  const asked: string[] = []
  // A refusal is an answer: the browser logs it all the same.
  page.on('console', (message) => { if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text()) })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => asked.push(request.url()))
  await page.goto(`${api}/admin`)
  return {
    page, context, complaints, asked,
    async signIn(token = adminToken) {
      await page.getByLabel('Admin token').fill(token)
      await page.getByRole('button', { name: 'Open the control room' }).click()
    },
    async choose(saleId) {
      await page.getByLabel('Sale', { exact: true }).selectOption(saleId)
    },
    region: (name) => page.getByRole('region', { name, exact: true }),
    button: (name) => page.getByRole('button', { name, exact: true }),
    async reads(text) {
      await page.getByText(text).first().waitFor()
    },
  }
}
