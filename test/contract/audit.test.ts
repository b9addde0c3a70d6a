/** What an audit says of a sale that is whole, and of one that is not. */
import tap, { type Test } from 'tap'
import type { AuditReport } from '../../src/contract.js'
import { auditKey } from '../../src/keys.js'
import { createLogger } from '../../src/log.js'
import { createAudits } from '../../workers/audit.js'
import { runOn } from '../postgres.js'
import { refused } from './refused.js'
import { newId, openShop } from './shop.js'

const shop = await openShop(tap)
const audit = async (saleId: string) => (await shop.operator<AuditReport>('GET', `/sales/${saleId}/audit`)).body
const key = (saleId: string, name: string) => `fs:{${saleId}.0}:${name}`

async function ownSale(items: Readonly<Record<string, number>>): Promise<string> {
  for (const sku of Object.keys(items)) await shop.putItem(sku, 100)
  return shop.publish({ items })
}

/** Asserts that a sale is found broken by one rule, in one item where one is named. */
async function broken(t: Test, saleId: string, rule: string, sku: string | undefined, detail: RegExp): Promise<void> {
  const { ok, violations } = await audit(saleId)
  t.equal(ok, false)
  t.ok(violations.some((one) => one.rule === rule && one.sku === sku && detail.test(one.detail)), JSON.stringify(violations))
}

void tap.test('an audit accounts for every unit, on its way to Postgres as well', async (t) => {
  const [a, b] = [newId('a'), newId('b')]
  const saleId = await ownSale({ [a]: 20, [b]: 5 })
  await shop.cart(saleId, { [a]: 1 })
  await shop.order(saleId, { [a]: 2, [b]: 1 })
  await shop.pending(saleId, { [a]: 3 })
  await shop.paid(saleId, { [a]: 4 })
  await shop.drain(saleId)
  await shop.paid(saleId, { [a]: 5, [b]: 2 })
  t.match(await audit(saleId), {
    ok: true, violations: [], checkedAt: /^\d{4}-.*Z$/,
    items: [
      { sku: a, allocation: 20, available: 5, held: 6, sold: 9, persisted: 4, inFlight: 5 },
      { sku: b, allocation: 5, available: 2, held: 1, sold: 2, persisted: 0, inFlight: 2 },
    ].toSorted((one, other) => (one.sku < other.sku ? -1 : 1)),
  })
  await shop.drain(saleId)
  t.match((await audit(saleId)).items.find(({ sku }) => sku === a), { persisted: 9, inFlight: 0 })
})

void tap.test('an audit holds under holdAt: checkout, and while holds have lapsed that nobody has given back yet', async (t) => {
  const sku = newId('a')
  await shop.putItem(sku, 100)
  const saleId = await shop.publish({ holdAt: 'checkout', items: { [sku]: 5 } })
  for (let i = 0; i < 4; i += 1) await shop.cart(saleId, { [sku]: 3 })
  await shop.order(saleId, { [sku]: 3 })
  await shop.later(saleId, 1_000)
  t.match(await audit(saleId), { ok: true, items: [{ available: 2, held: 3, sold: 0 }] })
  await shop.sweep(saleId)
  t.match(await audit(saleId), { ok: true, items: [{ available: 5, held: 0, sold: 0 }] })
})

void tap.test('an order that was set apart is still accounted for', async (t) => {
  const sku = newId('a')
  const saleId = await ownSale({ [sku]: 5 })
  const { orderId } = await shop.order(saleId, { [sku]: 2 })
  const orders = key(saleId, 'orders')
  await shop.redis.hset(orders, orderId.slice(-22), (await shop.redis.hget(orders, orderId.slice(-22)))!.replace('Köln', String.raw`K\u0000ln`))
  await shop.pay(orderId)
  await shop.drain(saleId)
  t.match(await audit(saleId), { ok: true, items: [{ sold: 2, persisted: 0, inFlight: 2 }] })
})

void tap.test('units that appear from nowhere, or vanish, are found', async (t) => {
  const sku = newId('a')
  const saleId = await ownSale({ [sku]: 10 })
  await shop.paid(saleId, { [sku]: 2 })
  const stock = (await shop.redis.hget(key(saleId, 'stock'), sku))!
  const change = (counters: string) => shop.redis.hset(key(saleId, 'stock'), sku, stock.replace('10 8 0 0 2', counters))
  await change('10 9 0 0 2')
  await broken(t, saleId, 'I1', sku, /of 10 allocated, 9 are available, 0 held, 2 sold/)
  await change('10 7 0 0 3')
  await broken(t, saleId, 'I3', sku, /3 are sold, 0 persisted and 2 on their way/)
  await change('10 8 0 0 2')
  t.equal((await audit(saleId)).ok, true)
  await shop.redis.del(key(saleId, 'outbox'))
  await broken(t, saleId, 'I3', sku, /2 are sold, 0 persisted and 0 on their way/)
})

void tap.test('a hold without its deadline, a deadline without its hold, and counters that no cart explains are found', async (t) => {
  const sku = newId('a')
  const saleId = await ownSale({ [sku]: 10 })
  const { cartId } = await shop.cart(saleId, { [sku]: 2 })
  const { orderId } = await shop.order(saleId, { [sku]: 1 })
  const deadlines = key(saleId, 'deadlines')
  for (const [id, what] of [[cartId, /^cart .{6}… holds units/], [orderId, /^order .{6}… holds units/]] as const) {
    const local = id.slice(-22)
    const score = (await shop.redis.zscore(deadlines, local))!
    await shop.redis.zrem(deadlines, local)
    await broken(t, saleId, 'I2', undefined, what)
    await shop.redis.zadd(deadlines, score, local)
  }
  await shop.redis.zadd(deadlines, Date.now() + 1_000_000, 'nobody')
  await broken(t, saleId, 'I2', undefined, /a deadline is kept for nobody…, which holds nothing/)
  await shop.redis.zrem(deadlines, 'nobody')
  t.equal((await audit(saleId)).ok, true)
  await shop.redis.hdel(key(saleId, 'carts'), cartId.slice(-22))
  await broken(t, saleId, 'I2', sku, /counted are 2 in carts and 1 in orders; there are 0 and 1/)
  t.notMatch(JSON.stringify(await audit(saleId)), cartId.slice(-22), 'no id is told in full')
})

void tap.test('a store whose stock is not what its ledger comes to is found', async (t) => {
  const sku = newId('a')
  const saleId = await ownSale({ [sku]: 10 })
  const paid = await shop.paid(saleId, { [sku]: 2 })
  await shop.drain(saleId)
  const run = (statement: string, ...values: unknown[]) => runOn(shop.databaseUrl, statement, values)
  await run('update items set quantity = quantity + 1 where sku = $1', sku)
  await broken(t, saleId, 'I4', sku, /the store has 99, and its ledger comes to 98/)
  await run('update items set quantity = quantity - 1 where sku = $1', sku)
  await run('update sale_items set sold = sold + 1 where sku = $1', sku)
  await broken(t, saleId, 'I4', sku, /3 are sold, and the orders come to 2/)
  await run('update sale_items set sold = sold - 1 where sku = $1', sku)
  const change = 'update order_lines set quantity = 1 where order_id = $1'
  await t.rejects(run(change, paid.orderId), /its rows are facts/)
  await run('alter table order_lines disable trigger user')
  await run(change, paid.orderId)
  await run('alter table order_lines enable trigger user')
  await broken(t, saleId, 'I4', sku, /1 lines of orders have no movement of their own/)
})

void tap.test('an entry that was set apart and that nobody can read hides nothing of the others', async (t) => {
  const sku = newId('a')
  const saleId = await ownSale({ [sku]: 10 })
  await shop.paid(saleId, { [sku]: 2 })
  await shop.drain(saleId)
  await runOn(shop.databaseUrl, `insert into dead_orders (sale_id, outbox_id, kind, entry, reason) values ($1, '1-1', 'paid', 'no JSON', 'by hand')`, [saleId])
  t.match(await audit(saleId), { ok: true, items: [{ sku, sold: 2, persisted: 2, inFlight: 0 }] })
})

void tap.test('a worker audits the sales that are not closed, one after the other, and tells what is broken', async (t) => {
  const skus = [newId('a'), newId('a')]
  const [one, other] = [await ownSale({ [skus[0]!]: 10 }), await ownSale({ [skus[1]!]: 10 })]
  const [whole, closed, unreadable] = [await ownSale({ [newId('a')]: 1 }), await ownSale({ [newId('a')]: 1 }), await ownSale({ [newId('a')]: 1 })]
  await runOn(shop.databaseUrl, 'update items set quantity = quantity + 1 where sku = any($1)', [skus])
  await shop.redis.set(key(unreadable, 'stock'), 'no hash')

  const told: { saleId: string; rule?: string }[] = []
  const stop = new AbortController()
  const log = createLogger('error', {
    write(line) {
      told.push(JSON.parse(line) as (typeof told)[number])
      if (told.at(-1)!.rule === 'I4') stop.abort()
    },
  })
  const turn = createAudits(shop.engine, shop.database, log, new Set([closed]))
  const about = (asked: string) => told.filter(({ saleId }) => saleId === asked)
  t.ok((await turn(stop.signal)) >= 10_000)
  t.equal(new Set(told.flatMap(({ saleId, rule }) => (rule === 'I4' ? [saleId] : []))).size, 1, 'told to stop, it does not go on to the next')

  const { signal } = new AbortController()
  await turn(signal)
  for (const [i, saleId] of [one, other].entries()) {
    t.match(about(saleId), [{ rule: 'I4', sku: skus[i], detail: /the store has 101, and its ledger comes to 100/ }])
    t.equal(about(saleId).length, 1, 'it is not due again')
  }
  const audited = await shop.redis.keys(auditKey('*'))
  t.same([one, other, whole, unreadable, closed].map((saleId) => audited.includes(auditKey(saleId))), [true, true, true, true, false])

  await shop.redis.del(...audited)
  await turn(signal)
  t.equal(about(one).length, 2)
  t.match(about(unreadable), [{ loop: 'audit', msg: /will be tried again/ }])
  t.equal(about(unreadable).length, 1, 'what fails again is told once')
})

void tap.test('an audit is for operators, of sales that there are', async (t) => {
  const saleId = await ownSale({ [newId('a')]: 1 })
  refused(t, await shop.call('GET', `/v1/admin/sales/${saleId}/audit`), 'unauthorized')
  refused(t, await shop.operator('GET', '/sales/nobody/audit'), 'sale_not_found')
})
