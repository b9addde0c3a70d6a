import { setTimeout as delay } from 'node:timers/promises'

export const demoSaleId = '12-12'
const currency = 'USD'

interface DemoItem {
  sku: string
  name: string
  description: string
  /** Minor units: what the catalogue asks, and what the sale does. */
  listPrice: number
  price: number
  /** Units in the store, and how many of them go into the sale. */
  quantity: number
  allocation: number
  maxPerCart?: number
}

const items: DemoItem[] = [
  { sku: 'EARBUDS-NC', name: 'Noise-cancelling earbuds', description: 'Thirty hours with the case, rain-proof.', listPrice: 12_900, price: 5_900, quantity: 600, allocation: 500, maxPerCart: 2 },
  { sku: 'CONSOLE-1TB', name: 'Game console, 1 TB', description: 'With two controllers. The one that everybody waits for.', listPrice: 49_900, price: 34_900, quantity: 25, allocation: 20, maxPerCart: 1 },
  { sku: 'TV-OLED-55', name: '55-inch OLED television', description: '4K, 120 Hz, wall bracket included.', listPrice: 139_900, price: 79_900, quantity: 15, allocation: 12, maxPerCart: 1 },
  { sku: 'WATCH-GPS', name: 'Running watch with GPS', description: 'Two weeks on one charge.', listPrice: 24_900, price: 14_900, quantity: 150, allocation: 120, maxPerCart: 2 },
  { sku: 'VACUUM-ROBOT', name: 'Robot vacuum', description: 'Maps the flat, empties itself.', listPrice: 59_900, price: 29_900, quantity: 80, allocation: 60, maxPerCart: 1 },
  { sku: 'FRYER-6L', name: 'Air fryer, 6 litres', description: 'Two drawers that finish at the same moment.', listPrice: 14_900, price: 7_900, quantity: 400, allocation: 300 },
  { sku: 'KEYBOARD-75', name: 'Mechanical keyboard, 75 %', description: 'Hot-swappable switches, aluminium frame.', listPrice: 9_900, price: 5_900, quantity: 250, allocation: 200 },
  { sku: 'SSD-2TB', name: 'Portable SSD, 2 TB', description: '2,000 MB/s over USB-C.', listPrice: 17_900, price: 11_900, quantity: 350, allocation: 300, maxPerCart: 3 },
  { sku: 'POWERBANK-20K', name: 'Power bank, 20,000 mAh', description: 'Charges a laptop once, a phone four times.', listPrice: 4_900, price: 1_990, quantity: 2_000, allocation: 1_500 },
  { sku: 'CAMERA-MINI', name: 'Instant camera, limited edition', description: 'Twelve of them, numbered.', listPrice: 9_900, price: 4_900, quantity: 12, allocation: 12, maxPerCart: 1 },
  { sku: 'PAN-SET-3', name: 'Cast-iron pans, set of three', description: 'For every stove, and for your grandchildren.', listPrice: 8_900, price: 4_450, quantity: 180, allocation: 150 },
  { sku: 'LEGGINGS-BLK', name: 'Running leggings, black', description: 'With the pocket that fits a phone.', listPrice: 3_900, price: 1_212, quantity: 900, allocation: 800 },
]

/** The sale could not be made; the message is for whoever started it. */
export class DemoError extends Error {}

const over = 'The 12.12 sale is over: it ran in an earlier start. Remove the data folder (.data) to start anew.'

/** The item that the printed examples buy. */
export const demoSku = items[0]!.sku

export interface Shop {
  address: string
  adminToken: string
  signal: AbortSignal
  /** When the sale ends; where it is left out, while stock lasts. */
  endsAt?: string
}

/** Makes the demo sale over the public operator calls, unless it is there from an earlier start. Says what there is now. */
export async function makeDemoSale(shop: Shop): Promise<string> {
  const there = await call(shop, 'GET', `/v1/sales/${demoSaleId}`)
  if (there.status === 200) return there.body['status'] === 'ended' ? over : `The 12.12 sale is there from an earlier start, and it is ${String(there.body['status'])}.`

  for (const { sku, name, description, listPrice, quantity } of items) {
    const answer = await call(shop, 'PUT', `/v1/admin/items/${sku}`, { name, description, price: { amount: listPrice, currency }, quantity })
    if (answer.status !== 200 && answer.status !== 201 && answer.body['code'] !== 'item_exists') throw refused(`the item ${sku}`, answer)
  }
  const answer = await call(shop, 'POST', '/v1/admin/sales', {
    saleId: demoSaleId,
    name: '12.12',
    ...(shop.endsAt && { endsAt: shop.endsAt }),
    items: items.map(({ sku, price, allocation, maxPerCart }) => ({ sku, price: { amount: price, currency }, allocation, ...(maxPerCart && { maxPerCart }) })),
  })
  if (answer.body['code'] === 'sale_exists') return over
  if (answer.status !== 201) throw refused('the sale', answer)
  return `The 12.12 sale is open, with ${items.length} items.`
}

interface Answer {
  status: number
  body: Record<string, unknown>
}

async function call({ address, adminToken, signal }: Shop, method: string, path: string, body?: object): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(`${address}${path}`, {
      method,
      signal,
      headers: { authorization: `Bearer ${adminToken}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const answer: Answer = { status: response.status, body: (await response.json()) as Record<string, unknown> }
    // Just started, a process may still be finding its servers. All of these calls may be repeated.
    if ((answer.status !== 503 && answer.status !== 429) || attempt === 40) return answer
    await delay(250, undefined, { signal })
  }
}

const refused = (what: string, { status, body }: Answer) =>
  new DemoError(`The demo could not make ${what}: ${status} ${String(body['code'] ?? '')} ${String(body['detail'] ?? '')}`.trim())
