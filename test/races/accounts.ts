/**
 * The accounts: when everything has drained, every unit and every payment is looked for in Redis and in Postgres, and
 * held against what people were told.
 */
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import type { Order } from '../../src/contract.js'
import { chargeKey, paymentOf, refundKey, type ShardKeyName, shardKey } from '../../src/keys.js'
import { runOn } from '../postgres.js'
import { assertWhole, counters } from '../redis.js'
import { until } from './processes.js'
import type { Shop, Ware } from './shop.js'

const keyOf = (saleId: string, name: ShardKeyName) => shardKey({ saleId, shard: 0 }, name)

export const outboxLength = (redis: Redis, saleId: string): Promise<number> => redis.xlen(keyOf(saleId, 'outbox'))

/** Waits until nothing is on its way to Postgres or back to a customer. */
export const persisted = (redis: Redis, saleId: string, withinMs?: number): Promise<true> =>
  until('the outbox is empty', async () => (await outboxLength(redis, saleId)) === 0, withinMs)

/** Waits until nothing is held either: what was to lapse has lapsed, and every payment's outcome is known. */
export const drained = (redis: Redis, saleId: string, withinMs?: number): Promise<true> =>
  until('nothing is held, no payment is asked about, and the outbox is empty', async () =>
    (await redis.zcard(keyOf(saleId, 'deadlines'))) + (await redis.zcard(keyOf(saleId, 'attempts'))) + (await outboxLength(redis, saleId)) === 0, withinMs)

/** @returns the ids, without their sale, of the carts and orders that Redis holds */
export async function localIds(redis: Redis, saleId: string): Promise<string[]> {
  return [...await redis.hkeys(keyOf(saleId, 'carts')), ...await redis.hkeys(keyOf(saleId, 'orders'))]
}

/** @returns the cart that each idempotency key made */
export async function keysUsed(redis: Redis, saleId: string): Promise<Map<string, string>> {
  const records = Object.entries(await redis.hgetall(keyOf(saleId, 'idempotency')))
  return new Map(records.flatMap(([field, record]) => (field.startsWith('c:') ? [[field.slice(2), record.split(' ')[1]!] as const] : [])))
}

/** @returns payment ids by what the sandbox has of them: the money that it took, and what it gave back */
export async function sandboxMoney(redis: Redis): Promise<{ charged: Set<string>; refunded: Set<string> }> {
  const money = { charged: new Set<string>(), refunded: new Set<string>() }
  await Promise.all((await redis.keys(chargeKey('*'))).map(async (key) => {
    if ((await redis.get(key))?.startsWith('succeeded ')) money.charged.add(paymentOf(key))
  }))
  for (const key of await redis.keys(refundKey('*'))) money.refunded.add(paymentOf(key))
  return money
}

export interface Expected {
  readonly saleId: string
  readonly wares: readonly Ware[]
  /** The orders that people were told are paid. */
  readonly paid: Iterable<string>
  /** The payments that went well: each has paid one order, or went back. */
  readonly taken: Iterable<string>
}

/** @returns what `assertAccounts` expects of orders that people were told are paid */
export const told = (paid: readonly Order[]): Pick<Expected, 'paid' | 'taken'> =>
  ({ paid: paid.map(({ orderId }) => orderId), taken: paid.map(({ payment }) => payment!.paymentId) })

const sorted = (ids: Iterable<string>): string[] => [...new Set(ids)].toSorted()
type Units = { sku: string; units: string }
const bySku = (rows: readonly Units[]): Map<string, number> => new Map(rows.map(({ sku, units }) => [sku, Number(units)]))

/** Everything has drained: every unit is counted, and every payment. @returns the units sold */
export async function assertAccounts(t: Test, { redis, stores: { databaseUrl } }: Pick<Shop, 'redis' | 'stores'>, expected: Expected): Promise<number> {
  const { saleId, wares } = expected
  const rows = <Row extends object>(statement: string) => runOn<Row>(databaseUrl, statement)
  await assertWhole(t, redis, saleId)
  t.equal(await outboxLength(redis, saleId), 0, 'the outbox is empty')
  t.strictSame(await rows('select * from dead_orders'), [], 'nothing was set apart')

  const lines = bySku(await rows<Units>(
    `select sku, sum(quantity) as units from order_lines join orders using (order_id) where status = 'paid' group by sku`))
  const stock = bySku(await rows<Units>('select sku, quantity as units from items'))
  const ledger = bySku(await rows<Units>('select sku, sum(delta) as units from stock_movements group by sku'))
  const saleSold = bySku(await rows<Units>('select sku, sold as units from sale_items'))
  let units = 0
  for (const { sku, quantity, allocation } of wares) {
    const sold = lines.get(sku) ?? 0
    units += sold
    t.match(await counters(redis, saleId, sku), { allocation, available: allocation - sold, inCarts: 0, inOrders: 0, sold }, `Redis sold the ${sold} of ${sku} that Postgres has`)
    t.equal(stock.get(sku), quantity - sold, `the stock of ${sku} is ${sold} less`)
    t.equal(ledger.get(sku), quantity - sold, `and so says its ledger`)
    t.equal(saleSold.get(sku), sold, `and its sale`)
  }

  const paid = await rows<{ order_id: string; payment_id: string }>(`select order_id, payment_id from orders where status = 'paid'`)
  t.strictSame(sorted(paid.map((row) => row.order_id)), sorted(expected.paid), 'the orders in Postgres are the paid ones that people were told of')
  const payments = await rows<{ payment_id: string; status: string }>('select payment_id, status from payments')
  t.equal(new Set(payments.map((row) => row.payment_id)).size, payments.length)
  t.strictSame(sorted(payments.map((row) => row.payment_id)), sorted(expected.taken), 'every payment is in Postgres, and no other')
  const kept = payments.flatMap((row) => (row.status === 'succeeded' ? [row.payment_id] : []))
  t.strictSame(sorted(kept), sorted(paid.map((row) => row.payment_id)), 'money is kept for the orders that are paid')
  const back = payments.flatMap((row) => (row.status === 'refunded' ? [row.payment_id] : []))
  t.strictSame(sorted(back), sorted((await sandboxMoney(redis)).refunded), 'and all other money went back')
  return units
}
