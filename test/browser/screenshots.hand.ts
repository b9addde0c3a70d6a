/** `npm run screenshots`: the pages as they are, into docs/images. */
import { mkdir } from 'node:fs/promises'
import tap from 'tap'
import { makeDemoSale } from '../../src/cli/demo.js'
import { adminToken } from '../races/processes.js'
import { good, openCart, openShop, checkOut, pay } from '../races/shop.js'
import { openBrowser } from './chromium.js'
import { openCustomer } from './customer.js'

/** How long the sale is still open. */
const openForMs = 2 * 3_600_000 + 47 * 60_000

const folder = new URL('../../docs/images/', import.meta.url).pathname
await mkdir(folder, { recursive: true })

const { apis: [api] } = await openShop(tap, { workers: 1 })
await makeDemoSale({ address: api, adminToken, signal: new AbortController().signal, endsAt: new Date(Date.now() + openForMs).toISOString() })
const browser = await openBrowser(tap)

/** What other customers have in their carts, and what they have bought. */
const inCarts = { 'EARBUDS-NC': 148, 'CONSOLE-1TB': 5, 'TV-OLED-55': 9, 'WATCH-GPS': 31, 'VACUUM-ROBOT': 22, 'CAMERA-MINI': 7, 'SSD-2TB': 40, 'POWERBANK-20K': 212 }
const bought = { 'CONSOLE-1TB': 13, 'CAMERA-MINI': 5, 'VACUUM-ROBOT': 36, 'TV-OLED-55': 3, 'WATCH-GPS': 24 }
for (const [sku, count] of Object.entries(bought)) {
  for (let n = 0; n < count; n += 1) {
    const { cartId } = good(await openCart(api, '12-12', [{ sku, quantity: 1 }]))
    const { orderId } = good(await checkOut(api, cartId))
    good(await pay(api, orderId, 'tok_ok'))
  }
}
await Promise.all(Object.entries(inCarts).flatMap(([sku, count]) => Array.from({ length: count }, async () => good(await openCart(api, '12-12', [{ sku, quantity: 1 }])))))

const desktop = { viewport: { width: 1_440, height: 900 } }

void tap.test('the shop window, bright and dark', async (t) => {
  const shopper = await openCustomer(t, browser, api, desktop)
  await shopper.add('Mechanical keyboard, 75 %')
  await shopper.reads('Held for you until')
  await shopper.add('Noise-cancelling earbuds')
  await shopper.reads('In your cart: 1 × Noise-cancelling earbuds')
  await shopper.page.getByRole('button', { name: 'Dismiss this message' }).click()
  await shopper.page.evaluate('scrollTo(0, 0)')
  for (const colorScheme of ['light', 'dark'] as const) {
    await shopper.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await shopper.page.screenshot({ path: `${folder}shop-${colorScheme}.png` })
  }
  t.strictSame(shopper.complaints, [])
})

void tap.test('the shop window on a telephone, from the cart to the saved order', async (t) => {
  const shopper = await openCustomer(t, browser, api, { viewport: { width: 360, height: 740 }, reducedMotion: 'reduce' })
  await shopper.add('Portable SSD, 2 TB')
  await shopper.reads('Held for you until')
  await shopper.page.getByRole('button', { name: 'Dismiss this message' }).click()
  await shopper.page.evaluate('scrollTo(0, 0)')
  await shopper.page.screenshot({ path: `${folder}shop-phone.png` })
  t.strictSame(shopper.complaints, [])
})

void tap.test('checkout, and the order that is paid and saved', async (t) => {
  const shopper = await openCustomer(t, browser, api, { ...desktop, reducedMotion: 'reduce' })
  await shopper.add('Running watch with GPS')
  await shopper.reads('Held for you until')
  await shopper.checkOut()
  await shopper.page.getByLabel('Full name').fill('Ada Lovelace')
  await shopper.page.getByLabel('Email').fill('ada.example.com')
  await shopper.page.getByRole('button', { name: 'Continue to payment' }).click()
  await shopper.reads('An email address looks like')
  await shopper.page.screenshot({ path: `${folder}shop-checkout.png`, fullPage: true })
  await shopper.fillIn()
  await shopper.page.getByRole('radio', { name: 'It goes through' }).waitFor()
  await shopper.page.screenshot({ path: `${folder}shop-payment.png` })
  await shopper.pay()
  await shopper.reads('Your order is paid and saved')
  await shopper.page.screenshot({ path: `${folder}shop-paid.png` })
  t.strictSame(shopper.complaints, [])
})
