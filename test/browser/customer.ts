/** A customer in front of the shop window: what they do there, by the names that are read out to them. */
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core'
import type { Test } from 'tap'

/** How long anything on a page may take before its test fails, in ms. */
const boundMs = 30_000

export interface Customer {
  readonly page: Page
  readonly context: BrowserContext
  /** What the page has logged as an error, and what it has thrown. */
  readonly complaints: readonly string[]
  item(name: string): Locator
  cart(): Locator
  add(name: string): Promise<void>
  checkOut(): Promise<void>
  fillIn(own?: Partial<Details>): Promise<void>
  /** Chooses what the bank says, and pays. */
  pay(outcome?: string): Promise<void>
  /** Waits until this is to be read on the page. */
  reads(text: string | RegExp): Promise<void>
}

const details = {
  'Full name': 'Ada Lovelace',
  Email: 'ada@example.com',
  'Street and number': '12 Main St',
  'Postal code': '12121',
  City: 'Springfield',
  Country: 'US',
}

type Details = typeof details

export async function openCustomer(t: Pick<Test, 'teardown'>, browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Customer> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 900 }, locale: 'en-US', timezoneId: 'UTC', reducedMotion: 'reduce', ...options })
  t.teardown(() => context.close())
  return openWindow(context, address)
}

/** Keeps a page from reading the sale: what it still hears of it, the live events have told. */
export async function onlyEvents({ page }: Customer): Promise<void> {
  await page.route(/\/v1\/sales\/[^/]+$/, (route) => route.abort())
}

/** One more window of the same customer, where `context` has one. */
export async function openWindow(context: BrowserContext, address: string): Promise<Customer> {
  const page = await context.newPage()
  page.setDefaultTimeout(boundMs)
  const complaints: string[] = []
  // A refusal is an answer: the browser logs it all the same.
  page.on('console', (message) => { if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text()) })
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(address)
  const item = (name: string) => page.getByRole('listitem').filter({ has: page.getByRole('heading', { name, exact: true }) })
  return {
    page,
    context,
    complaints,
    item,
    cart: () => page.getByRole('region', { name: 'Your cart' }),
    async add(name) {
      await item(name).getByRole('button', { name: /^Add/ }).click()
    },
    async checkOut() {
      await page.getByRole('link', { name: 'Check out' }).click()
    },
    async fillIn(own = {}) {
      for (const [label, value] of Object.entries({ ...details, ...own })) {
        const field = page.getByLabel(label, { exact: true })
        if (label === 'Country') await field.selectOption(value)
        else await field.fill(value)
      }
      await page.getByRole('button', { name: 'Continue to payment' }).click()
    },
    async pay(outcome = 'It goes through') {
      await page.getByRole('radio', { name: outcome }).check()
      await page.getByRole('button', { name: /^Pay / }).click()
    },
    reads: (text) => page.getByText(text).first().waitFor(),
  }
}
