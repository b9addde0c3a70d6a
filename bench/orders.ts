/** Orders to be made: who buys, what, and how it adds up. */
import { formatId, newLocalId } from '../src/ids.js'
import type { OutboxEntry } from '../src/outbox.js'
import { price } from './shop.js'

/** Items of a sale; more than one, so that one order at a time does not wait for one row. */
export const itemCount = 20
const skus = Array.from({ length: itemCount }, (_, i) => `item-${i}`)

export const customer = {
  name: 'Zoë Example',
  email: 'zoe@example.com',
  address: { line1: '1 Main Street', city: 'Köln', postalCode: '50667', country: 'DE' },
}

/** What a sale sold: the ids of its orders and units by item. */
export interface Sold {
  readonly saleId: string
  readonly orderIds: Set<string>
  readonly units: Map<string, number>
  lines: number
}

interface OrderedLine {
  readonly sku: string
  readonly quantity: number
}

/** The items of a sale are its own, so that what Postgres says of them is about this turn. */
const ownSku = (saleId: string, sku: string) => `${saleId}-${sku}`
export const skusOf = (saleId: string): string[] => skus.map((sku) => ownSku(saleId, sku))

/** The lines of the i-th order of a sale: every fourth has two. */
export function linesOf(saleId: string, i: number): OrderedLine[] {
  const line = { sku: ownSku(saleId, skus[i % itemCount]!), quantity: 1 + (i % 3) }
  return i % 4 === 0 ? [line, { sku: ownSku(saleId, skus[(i + 7) % itemCount]!), quantity: 1 }] : [line]
}

export function record(sold: Sold, orderId: string, lines: readonly OrderedLine[]): void {
  sold.orderIds.add(orderId)
  sold.lines += lines.length
  for (const { sku, quantity } of lines) sold.units.set(sku, (sold.units.get(sku) ?? 0) + quantity)
}

export type PaidEntry = Extract<OutboxEntry, { kind: 'paid' }>

/** The i-th order as the engine would have handed it on. */
export function entryOf(sold: Sold, i: number, allocation: number): PaidEntry {
  const { saleId } = sold
  const shard = { saleId, shard: 0 }
  const local = newLocalId()
  const orderId = formatId('o', shard, 1, local)
  const lines = linesOf(saleId, i).map((line) => ({ ...line, unitAmount: price.amount }))
  const totalAmount = lines.reduce((sum, line) => sum + line.unitAmount * line.quantity, 0)
  record(sold, orderId, lines)
  return {
    kind: 'paid',
    outboxId: `1-${i}`,
    counters: lines.map(({ sku }) => ({ sku, allocation, available: allocation - sold.units.get(sku)!, held: 0, sold: sold.units.get(sku)! })),
    paidAtMs: Date.now(),
    order: { orderId, saleId, cartId: formatId('c', shard, 1, local), customer, lines, totalAmount, currency: price.currency, createdAtMs: Date.now() },
    payment: { paymentId: formatId('p', shard, 1, newLocalId()), orderId, amount: totalAmount, currency: price.currency },
  }
}
