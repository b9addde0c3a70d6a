/** A Redis that is lost with its disk: nothing is sold from nothing, and the sale comes back with what Postgres knows. */
import tap, { type Test } from 'tap'
import type { AuditReport } from '../src/contract.js'
import { chargeKey, refundKey } from '../src/keys.js'
import { isRefusal } from '../src/problems.js'
import { refused } from './contract/refused.js'
import { newId, openShop } from './contract/shop.js'
import { runOn } from './postgres.js'
import { startProcess } from './races/processes.js'
import { assertWhole, counters } from './redis.js'

const shop = await openShop(tap)

async function recover(t: Test, ...args: string[]): Promise<{ code: number | null; lines: readonly string[] }> {
  const running = startProcess(t, 'src/cli/recover.js', { redisUrl: shop.redisUrl, databaseUrl: shop.databaseUrl }, {}, args)
  const { code } = await running.ended
  return { code, lines: running.lines }
}

/** Redis loses everything but what its provider keeps elsewhere. */
async function loseDisk(): Promise<void> {
  const keys = (await shop.redis.keys('*')).filter((key) => !key.startsWith(chargeKey('')) && !key.startsWith(refundKey('')))
  if (keys.length > 0) await shop.redis.del(...keys)
}

async function ownSale(items: Readonly<Record<string, number>>, fields: object = {}): Promise<string> {
  for (const sku of Object.keys(items)) await shop.putItem(sku, 100)
  return shop.publish({ items, ...fields })
}
const audit = async (saleId: string) => (await shop.operator<AuditReport>('GET', `/sales/${saleId}/audit`)).body
/** Every sale of the tests before is over, so that each test has lost but its own. */
const forget = () => runOn(shop.databaseUrl, 'update sales set closed_at = now() where closed_at is null')

void tap.test('without its data nothing is sold and everybody hears so; recovered, the rest is sold, once', async (t) => {
  await forget()
  const [a, b] = [newId('a'), newId('b')]
  const saleId = await ownSale({ [a]: 10, [b]: 5 })
  const kept = await shop.paid(saleId, { [a]: 3, [b]: 1 })
  await shop.drain(saleId)
  const cart = await shop.cart(saleId, { [a]: 1 })
  const unpaid = await shop.order(saleId, { [a]: 1 })
  const unknown = await shop.paid(saleId, { [a]: 2 })
  await loseDisk()

  for (const ask of [
    () => shop.take(saleId, { [a]: 1 }), () => shop.look(cart.cartId), () => shop.checkout(cart.cartId), () => shop.pay(unpaid.orderId),
    () => shop.call('GET', `/v1/sales/${saleId}`), () => shop.call('GET', '/v1/sales'), () => shop.operator('POST', `/sales/${saleId}/pause`),
    () => shop.askToPublish({ saleId: newId('sale'), name: 'Another', items: [{ sku: a, allocation: 1 }] }),
  ]) refused(t, await ask(), 'unavailable')
  t.match(await shop.call('GET', '/readyz'), { status: 503, body: { redis: false } })

  const { code, lines } = await recover(t, saleId)
  t.equal(code, 0, lines.join('\n'))
  t.match(lines[0], new RegExp(`^${saleId} is back after \\d+ ms, under epoch 2: 4 units are sold`))
  t.match(lines[1], /^1 payments were taken for orders that nobody knows any more/)
  t.match(await counters(shop.redis, saleId, a), { allocation: 10, available: 7, inCarts: 0, inOrders: 0, sold: 3 })
  t.match(await counters(shop.redis, saleId, b), { allocation: 5, available: 4, sold: 1 })
  t.match(await shop.call('GET', '/readyz'), { status: 200 })

  refused(t, await shop.look(cart.cartId), 'cart_expired')
  refused(t, await shop.checkout(cart.cartId), 'cart_expired')
  refused(t, await shop.set(cart.cartId, a, 2), 'cart_expired')
  refused(t, await shop.pay(unpaid.orderId), 'order_expired')
  refused(t, await shop.cancel(unpaid.orderId), 'order_expired')
  t.match(await shop.read(kept.orderId), { status: 'paid', persisted: true, customer: kept.customer })
  t.match(await shop.pay(kept.orderId), { status: 200, body: { status: 'paid' } }, 'and is paid once')
  t.match(await shop.checkout(kept.cartId), { status: 200, body: { orderId: kept.orderId } })

  // What was paid and only on the lost disk is known to the provider alone, which gives it back.
  await shop.drain(saleId)
  t.equal(await shop.redis.get(refundKey(unknown.payment!.paymentId)), '5000 USD unknown_order')
  t.equal(await shop.redis.get(refundKey(kept.payment!.paymentId)), null)
  const late = newId('page')
  t.match(await shop.event({ orderId: unpaid.orderId, paymentId: late }), { status: 200 }, 'money for an order of before')
  await shop.drain(saleId)
  t.equal(await shop.redis.get(refundKey(late)), '2500 USD unknown_order')

  const again = await shop.paid(saleId, { [a]: 7 })
  t.match(again.orderId, `.${2}.`)
  await shop.drain(saleId)
  refused(t, await shop.take(saleId, { [a]: 1 }), 'insufficient_stock')
  t.equal((await shop.stored(a)).quantity, 90)
  await assertWhole(t, shop.redis, saleId)
  t.match(await audit(saleId), { ok: true, violations: [], items: [{ sku: a, sold: 10, persisted: 10 }, { sku: b, sold: 1, persisted: 1 }] })
})

void tap.test('a sale comes back as it was: its window, its pause, its adjustments, what was set apart', async (t) => {
  await forget()
  const sku = newId('a')
  const endsAt = new Date(Date.now() + 86_400_000).toISOString()
  const saleId = await ownSale({ [sku]: 10 }, { endsAt, holdAt: 'checkout', holdSeconds: 60, lowStockAt: 2 })
  const adjust = async (delta: number) => (await shop.operator('POST', `/items/${sku}/adjustments`, { delta, reason: 'counted', saleId })).status
  t.strictSame([await adjust(5), await adjust(-3)], [201, 201])
  const { orderId } = await shop.order(saleId, { [sku]: 2 })
  const orders = `fs:{${saleId}.0}:orders`
  await shop.redis.hset(orders, orderId.slice(-22), (await shop.redis.hget(orders, orderId.slice(-22)))!.replace('Köln', String.raw`K\u0000ln`))
  await shop.pay(orderId)
  await shop.drain(saleId)
  t.equal(await adjust(-1), 201, 'and one that is acknowledged and only on the disk')
  await shop.control(saleId, 'pause')
  const before = await shop.sale(saleId)
  await loseDisk()
  t.equal((await recover(t, saleId)).code, 0)
  t.strictSame(await shop.sale(saleId), before)
  t.match(before, { status: 'paused', endsAt, items: [{ stock: { quantity: 9, available: 9 } }] })
  t.match(await counters(shop.redis, saleId, sku), { allocation: 11, available: 9, sold: 2 })
  t.equal((await shop.stored(sku)).quantity, 101, '100, five more, four less; two are sold and not in Postgres yet')
  t.match(await audit(saleId), { ok: true, violations: [] })

  // Whoever finishes what was cut changes nothing.
  for (const { adjustmentId, delta } of await runOn<{ adjustmentId: string; delta: string }>(shop.databaseUrl, 'select adjustment_id as "adjustmentId", delta from adjustments where sku = $1', [sku])) {
    t.equal(await shop.engine.adjust(saleId, sku, Number(delta), adjustmentId), null)
  }
  t.match(await counters(shop.redis, saleId, sku), { allocation: 11, available: 9, sold: 2 })
})

void tap.test('what is sold after a recovery comes after what was sold before, and the sale is certified whole', async (t) => {
  await forget()
  const sku = newId('a')
  const saleId = await ownSale({ [sku]: 10 })
  await shop.paid(saleId, { [sku]: 1 })
  await shop.drain(saleId)
  // A clock that has gone back, as on another machine.
  await runOn(shop.databaseUrl, 'alter table sale_ledger disable trigger user')
  await runOn(shop.databaseUrl, `update sale_ledger set outbox_id = '9999999999999-5' where sale_id = $1`, [saleId])
  await runOn(shop.databaseUrl, 'alter table sale_ledger enable trigger user')
  await loseDisk()
  t.equal((await recover(t, saleId)).code, 0)
  await shop.paid(saleId, { [sku]: 2 })
  const [entry] = await shop.redis.xrange(`fs:{${saleId}.0}:outbox`, '-', '+')
  t.match(entry![0], /^9999999999999-[6-9]/)
  await shop.drain(saleId)
  await shop.control(saleId, 'end')
  await shop.sweep(saleId)
  t.strictSame(await runOn(shop.databaseUrl, 'select allocation::int, sold::int from sale_results where sale_id = $1', [saleId]), [{ allocation: 10, sold: 3 }])
})

void tap.test('several sales come back one by one; until the last does, Redis is not whole', async (t) => {
  await forget()
  const [first, second] = [await ownSale({ [newId('a')]: 3 }), await ownSale({ [newId('b')]: 3 })]
  await loseDisk()
  const one = await recover(t, first)
  t.match(one, { code: 0, lines: [/is back/, new RegExp(`^Still lost, and closed until they are recovered: ${second}\\.$`)] })
  t.equal((await shop.sale(first)).status, 'open')
  refused(t, await shop.call('GET', `/v1/sales/${second}`), 'unavailable')
  t.match(await recover(t, second), { code: 0, lines: { length: 1 } })
  t.equal((await shop.sale(second)).status, 'open')
  refused(t, await shop.call('GET', '/v1/sales/nobody'), 'sale_not_found')
})

void tap.test('a recovery that was cut off before it had looked for payments is ended by the next one', async (t) => {
  await forget()
  const sku = newId('a')
  const saleId = await ownSale({ [sku]: 3 })
  const lost = await shop.paid(saleId, { [sku]: 1 })
  await loseDisk()
  const found = await shop.database.recoverableSale(saleId)
  if (isRefusal(found)) throw new Error(found.refused)
  t.equal(await shop.engine.recover(found.definition, found.lost), true, 'and then its process dies')

  const next = await recover(t, saleId)
  t.match(next, { code: 0, lines: [/^1 payments were taken/, /had come back before/] })
  await shop.drain(saleId)
  t.match(await shop.redis.get(refundKey(lost.payment!.paymentId)), / unknown_order$/)
  t.match(await recover(t, saleId), { code: 1, lines: [/lives/] })
})

void tap.test('a sale that lives, is closed or is none is refused with one line, and nothing changes', async (t) => {
  await forget()
  const living = await ownSale({ [newId('a')]: 3 })
  const closed = await ownSale({ [newId('b')]: 3 })
  await shop.control(closed, 'end')
  await shop.sweep(closed)
  await shop.redis.del(`fs:{${closed}.0}:policy`)
  const epochs = () => runOn(shop.databaseUrl, 'select sale_id, epoch from sales order by sale_id')
  const before = await epochs()
  for (const [args, said] of [
    [[living], /lives/], [[closed], /closed/], [['nobody'], /no such sale/], [['{x}'], /no such sale/], [[], /Which sale/], [[living, living], /Which sale/],
  ] as const) {
    const { code, lines } = await recover(t, ...args)
    t.strictSame([code, lines.length], [1, 1], lines.join('\n'))
    t.match(lines[0], said)
  }
  t.strictSame(await epochs(), before)
  await shop.redis.del(`fs:{${living}.0}:policy`)
  t.match(await recover(t, living), { code: 1, lines: [/parts of .* are still in Redis/] })
})
