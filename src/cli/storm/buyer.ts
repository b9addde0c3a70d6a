/** One buyer of a storm: what people do at a flash sale, by dice. */
import { randomUUID } from 'node:crypto'
import type { Answer, Shop } from './shop.js'

/** Of a hundred buyers: who wants two units, who tries another item where one is gone, who changes a cart, who leaves it. */
const wantsTwo = 15
const triesAnother = 50
const changes = 10
const abandons = 15
/** Of a hundred who pay: whose card is declined first, whose provider takes its time. */
const declined = 8
const undecided = 4
/** Items that one buyer tries, at the most. */
const triesBound = 3

const customer = {
  name: 'Storm Rehearsal',
  email: 'storm@example.com',
  address: { line1: '12 Main St', city: 'Springfield', postalCode: '12121', country: 'US' },
}

export const outcomeWords = ['bought', 'turned away', 'abandoned', 'undecided', 'gave up'] as const
export type Outcome = (typeof outcomeWords)[number]

export interface Errand {
  readonly shop: Shop
  readonly saleId: string
  /** The items, the most wanted first. */
  readonly skus: readonly string[]
  /** @returns a number from 0 to below 1 */
  readonly random: () => number
}

/** @returns what became of a buyer, who has come just now */
export async function buy({ shop, saleId, skus, random }: Errand): Promise<Outcome> {
  const chance = (percent: number) => random() * 100 < percent
  // The first items draw the crowd: half of all want the first eighth.
  const pick = () => skus[Math.floor(skus.length * random() ** 3)]!

  let cart: Answer | null = null
  for (let tries = 0; tries < triesBound; tries += 1) {
    const sku = pick()
    await shop.ask('item', { method: 'GET', path: `/v1/sales/${saleId}/items/${sku}` })
    const items = [{ sku, quantity: chance(wantsTwo) ? 2 : 1 }]
    cart = await shop.ask('cart', { method: 'POST', path: `/v1/sales/${saleId}/carts`, body: { items }, headers: { 'idempotency-key': randomUUID() } })
    if (cart.status === 201 || !chance(triesAnother)) break
  }
  if (cart === null || cart.status !== 201) return isNo(cart) ? 'turned away' : 'gave up'

  const { cartId, items } = cart.body as { cartId: string; items: { sku: string; quantity: number }[] }
  if (chance(changes)) await shop.ask('change', { method: 'PUT', path: `/v1/carts/${cartId}/items/${items[0]!.sku}`, body: { quantity: items[0]!.quantity + 1 } })
  if (chance(abandons)) return 'abandoned'
  const order = await shop.ask('checkout', { method: 'POST', path: `/v1/carts/${cartId}/checkout`, body: { customer } })
  if (order.status !== 201 && order.status !== 200) return isNo(order) ? 'turned away' : 'gave up'

  const pay = (paymentToken: string) => shop.ask('payment', { method: 'POST', path: `/v1/orders/${String(order.body['orderId'])}/payments`, body: { paymentToken } })
  if (chance(undecided)) {
    await pay('tok_pending')
    return 'undecided'
  }
  if (chance(declined)) await pay('tok_declined')
  const paid = await pay('tok_ok')
  if (paid.status === 200) return 'bought'
  if (paid.status === 202) return 'undecided'
  return isNo(paid) ? 'turned away' : 'gave up'
}

/** Whether an answer is an honest no. */
const isNo = (answer: Answer | null): boolean => answer !== null && answer.status >= 400 && answer.status < 500 && answer.status !== 408 && answer.status !== 429
