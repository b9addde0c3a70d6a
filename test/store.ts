/**
 * A store of its own for a test file: its database, and ways to bring it into the state that a test needs.
 */
import { randomBytes } from 'node:crypto'
import tap, { type Test } from 'tap'
import { formatId, newLocalId } from '../src/ids.js'
import { openDatabase } from '../src/database.js'
import type { FinalOrder, OutboxEntry } from '../src/outbox.js'
import { type PublishSale, saleDefaults } from '../src/contract.js'
import { isRefusal, type Refusal } from '../src/problems.js'
import type { PlannedSale } from '../src/sale.js'
import { freshDatabase, runOn } from './postgres.js'

export type PaidEntry = Extract<OutboxEntry, { kind: 'paid' }>
export type RefundEntry = Extract<OutboxEntry, { kind: 'refund' }>

export const url = await freshDatabase(tap)
export const database = openDatabase(url)
tap.teardown(() => database.close())

export const usd = (amount: number) => ({ amount, currency: 'USD' })
export const newId = (prefix: string) => `${prefix}-${randomBytes(6).toString('hex')}`
export const plan = (sale: PublishSale): PlannedSale => ({ ...saleDefaults, ...sale })

export function accepted<T>(result: T | Refusal): T {
  if (isRefusal(result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  return result
}

export async function seedItem(quantity: number, price = usd(2_500)): Promise<string> {
  const sku = newId('sku')
  accepted(await database.putItem(sku, { name: `Item ${sku}`, description: 'As pictured', price, quantity }))
  return sku
}

/** A sale of these items that Redis has. */
export async function seedSale(allocations: Record<string, number>): Promise<string> {
  const saleId = newId('sale')
  const items = Object.entries(allocations).map(([sku, allocation]) => ({ sku, allocation, price: usd(1_999) }))
  accepted(await database.createSale(plan({ saleId, name: 'Friday', items })))
  await database.markPublished(saleId, Date.now())
  return saleId
}

let entries = 0
export const nextOutboxId = () => `1732412345123-${entries++}`

export function paid(saleId: string, lines: Record<string, number>): PaidEntry {
  const local = newLocalId()
  const shard = { saleId, shard: 0 }
  const order: FinalOrder = {
    orderId: formatId('o', shard, 1, local),
    saleId,
    cartId: formatId('c', shard, 1, local),
    customer: {
      name: 'Zoë "Z" O’Neil \\',
      email: 'zoe@example.com',
      address: { line1: '{1, Main St}', city: 'Köln', postalCode: '50667', country: 'DE' },
    },
    lines: Object.entries(lines).map(([sku, quantity]) => ({ sku, quantity, unitAmount: 1_999 })),
    totalAmount: 1_999 * Object.values(lines).reduce((sum, quantity) => sum + quantity, 0),
    currency: 'USD',
    createdAtMs: 1_732_412_345_123,
  }
  const payment = { paymentId: formatId('p', shard, 1, newLocalId()), orderId: order.orderId, amount: order.totalAmount, currency: 'USD' }
  return { kind: 'paid', outboxId: nextOutboxId(), counters: [], order, payment, paidAtMs: 1_732_412_346_007 }
}

export function refund(entry: PaidEntry, order: FinalOrder | null, reason: RefundEntry['reason'] = 'lapsed'): RefundEntry {
  return { kind: 'refund', outboxId: nextOutboxId(), counters: [], order, payment: entry.payment, reason }
}

export const quantityOf = async (sku: string) => (await database.item(sku))!.quantity
export const soldOf = async (saleId: string, sku: string) =>
  (await runOn<{ sold: string; allocation: string }>(url, 'select sold, allocation from sale_items where sale_id = $1 and sku = $2', [saleId, sku]))
    .map(({ sold, allocation }) => ({ sold: Number(sold), allocation: Number(allocation) }))[0]!

/** The ledger explains every unit, and every line that was sold has its movement. */
async function ledgerHolds(t: Test): Promise<void> {
  t.same(await runOn(url, `
    select sku from items left join stock_movements using (sku)
     group by sku having items.quantity <> coalesce(sum(delta), 0)`), [], 'every quantity is the sum of its movements')
  t.same(await runOn(url, `
    select order_id, sku from order_lines join orders using (order_id)
      left join stock_movements using (order_id, sku)
     where (status = 'paid' and delta is distinct from -order_lines.quantity) or (status = 'refunded' and delta is not null)`), [],
  'every line sold has its movement, and a refunded one has none')
}

/** A test, after which the ledger still holds. */
export function promise(name: string, body: (t: Test) => Promise<void>): void {
  void tap.test(name, async (t) => {
    await body(t)
    await ledgerHolds(t)
  })
}
