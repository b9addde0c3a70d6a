import { randomInt } from 'node:crypto'
import { DatabaseUnavailable, openDatabase } from '../src/database.js'
import type { FinalOrder, OutboxEntry } from '../src/outbox.js'
import { runOn } from './postgres.js'
import { accepted, database, paid, promise, quantityOf, refund, seedItem, seedSale, soldOf, url, usd, type PaidEntry } from './store.js'

promise('a paid order can be read for good, just as it was paid', async (t) => {
  const lamp = await seedItem(10)
  const desk = await seedItem(10)
  const saleId = await seedSale({ [lamp]: 5, [desk]: 5 })
  const entry = paid(saleId, { [lamp]: 2, [desk]: 1 })
  t.same(await database.persist([entry]), ['persisted'])
  const line = { stock: null, lowStock: false, mayReturnAt: null, unitPrice: usd(1_999) }
  t.same((await database.order(entry.order.orderId))?.order, {
    orderId: entry.order.orderId, saleId, cartId: entry.order.cartId, status: 'paid', payBy: null, customer: entry.order.customer,
    items: [
      { sku: lamp, name: `Item ${lamp}`, quantity: 2, lineTotal: usd(3_998), ...line },
      { sku: desk, name: `Item ${desk}`, quantity: 1, lineTotal: usd(1_999), ...line },
    ],
    total: usd(5_997),
    payment: { paymentId: entry.payment.paymentId, status: 'succeeded', paidAt: '2024-11-24T01:39:06.007Z' },
    persisted: true, createdAt: '2024-11-24T01:39:05.123Z',
  })
  t.equal(await quantityOf(lamp), 8)
  t.equal(await database.knownPayment(entry.payment.paymentId), 'paid')
  t.equal(await database.knownPayment('nobody'), null)
  t.equal(await database.order('nobody'), null)
})

promise('customers keep their names, whatever these mean to others', async (t) => {
  const sku = await seedItem(100)
  const saleId = await seedSale({ [sku]: 100 })
  const names = ['NULL', 'null', '{}', '{a,b}', ',', '""', '\\', '\\"', "Robert'); drop table orders; --", 'two\nlines', ' ', '😀', '$1']
  const entries = names.map((name) => {
    const entry = paid(saleId, { [sku]: 1 })
    const customer = { ...entry.order.customer, name, phone: name, address: { ...entry.order.customer.address, line2: name } }
    return { ...entry, order: { ...entry.order, customer } }
  })
  t.same(await database.persist(entries), names.map(() => 'persisted'))
  for (const { order } of entries) t.same((await database.order(order.orderId))?.order.customer, order.customer)
})

promise('amounts are exact up to the greatest whole number', async (t) => {
  const sku = await seedItem(100)
  const saleId = await seedSale({ [sku]: 100 })
  const amounts = [0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]
  const entries = amounts.map((amount) => {
    const entry = paid(saleId, { [sku]: 1 })
    return { ...entry, order: { ...entry.order, totalAmount: amount, lines: [{ sku, quantity: 1, unitAmount: amount }] }, payment: { ...entry.payment, amount } }
  })
  t.same(await database.persist(entries), amounts.map(() => 'persisted'))
  for (const [i, { order, payment }] of entries.entries()) {
    t.match((await database.order(order.orderId))?.order, { total: usd(amounts[i]!), items: [{ unitPrice: usd(amounts[i]!) }] })
    t.same(await runOn(url, 'select amount from payments where payment_id = $1', [payment.paymentId]), [{ amount: String(amounts[i]) }])
  }
})

promise('batches that overlap, repeat and run side by side count every order once', async (t) => {
  const skus = await Promise.all(Array.from({ length: 5 }, () => seedItem(10_000)))
  const saleId = await seedSale(Object.fromEntries(skus.map((sku) => [sku, 10_000])))
  const orders = Array.from({ length: 300 }, () => {
    const chosen = skus.filter(() => randomInt(2) === 1)
    return paid(saleId, Object.fromEntries((chosen.length ? chosen : [skus[0]!]).toReversed().map((sku) => [sku, 1 + randomInt(3)])))
  })
  const results = await Promise.all(Array.from({ length: 12 }, () => {
    const first = randomInt(200)
    return database.persist(orders.slice(first, first + 100).toSorted(() => randomInt(3) - 1))
  }))
  results.push(await database.persist([...orders, ...orders.slice(0, 7)]))
  t.ok(results.flat().every((result) => result === 'persisted'))
  for (const sku of skus) {
    const units = orders.reduce((sum, { order }) => sum + (order.lines.find((line) => line.sku === sku)?.quantity ?? 0), 0)
    t.equal(await quantityOf(sku), 10_000 - units)
    t.same(await soldOf(saleId, sku), { sold: units, allocation: 10_000 })
  }
})

promise('one bad order is set apart, whole and once, and its batch is persisted', async (t) => {
  const sku = await seedItem(100)
  const saleId = await seedSale({ [sku]: 100 })
  const good = Array.from({ length: 20 }, () => paid(saleId, { [sku]: 1 }))
  const base = paid(saleId, { [sku]: 1 })
  const spoiled = (change: Partial<FinalOrder>): PaidEntry => {
    const entry = paid(saleId, { [sku]: 1 })
    return { ...entry, order: { ...entry.order, ...change } }
  }
  const bad = [
    spoiled({ customer: { ...base.order.customer, name: 'nul \u0000' } }),
    spoiled({ customer: { ...base.order.customer, address: { ...base.order.customer.address, city: '\u0000' } } }),
    spoiled({ cartId: good[0]!.order.cartId }),
    spoiled({ lines: [{ sku: 'nobody', quantity: 1, unitAmount: 1 }] }),
    spoiled({ saleId: 'nothing' }),
    { ...spoiled({}), payment: { ...base.payment, paymentId: good[1]!.payment.paymentId } },
  ]
  // These are refused before they come to Postgres.
  const unwritable = [
    ...[1.5, 2 ** 53, Number.NaN, '1' as unknown as number].map((quantity) => spoiled({ lines: [{ sku, quantity, unitAmount: 1 }] })),
    spoiled({ customer: { ...base.order.customer, email: 7 as unknown as string } }),
  ]
  const batch: OutboxEntry[] = [...good]
  const all = [...bad, ...unwritable]
  all.forEach((entry, index) => batch.splice(2 * index + 2, 0, entry))
  const results = await database.persist(batch)
  t.equal(results.filter((result) => result === 'persisted').length, good.length)
  for (const entry of bad) t.match(results[batch.indexOf(entry)], { poisoned: /^2[23]/, reason: String })
  for (const entry of unwritable) t.match(results[batch.indexOf(entry)], { poisoned: null, reason: /^a (text|number) is / })
  t.same(await database.persist(batch), results, 'and the same again when the job is run again')
  t.equal(await quantityOf(sku), 80)
  const dead = await runOn<{ outbox_id: string; entry: string }>(url, 'select outbox_id, entry from dead_orders')
  t.same(new Map(dead.map((row) => [row.outbox_id, row.entry])), new Map(all.map((entry) => [entry.outboxId, JSON.stringify(entry)])))
  t.equal(await database.knownPayment(bad[0]!.payment.paymentId), 'paid', 'its money did pay for it')
})

promise('an order that waits for its restock keeps nobody else waiting, and arrives after it', async (t) => {
  const short = await seedItem(2)
  const plenty = await seedItem(100)
  const saleId = await seedSale({ [short]: 2, [plenty]: 100 })
  const batch = [paid(saleId, { [plenty]: 1 }), paid(saleId, { [short]: 3 }), paid(saleId, { [short]: 2, [plenty]: 1 }), paid(saleId, { [plenty]: 1 })]
  t.same(await database.persist(batch), ['persisted', 'retry', 'persisted', 'persisted'])
  t.equal(await quantityOf(short), 0)
  accepted(await database.adjust({ sku: short, saleId, delta: 3, reason: 'a late delivery' }))
  t.same(await database.persist(batch), batch.map(() => 'persisted'))
  t.equal(await quantityOf(short), 0)
  t.equal(await quantityOf(plenty), 97)
  t.same(await runOn(url, 'select 1 from dead_orders where sale_id = $1', [saleId]), [])
})

promise('money that went back is known to have gone back, and took no stock', async (t) => {
  const sku = await seedItem(10)
  const saleId = await seedSale({ [sku]: 10 })
  const lapsed = paid(saleId, { [sku]: 1 })
  const stray = paid(saleId, { [sku]: 1 })
  const batch = [refund(lapsed, lapsed.order), refund(stray, null, 'unknown_order')]
  t.same(await database.persist(batch), ['persisted', 'persisted'])
  t.same(await database.persist(batch), ['persisted', 'persisted'])
  t.match(await database.order(lapsed.order.orderId), { order: { status: 'refunded', payment: { status: 'succeeded', paidAt: null }, items: [{ sku }] }, cancelled: false })
  t.equal(await database.order(stray.order.orderId), null)
  t.equal(await database.knownPayment(lapsed.payment.paymentId), 'refunded')
  t.equal(await database.knownPayment(stray.payment.paymentId), 'refunded')
  t.equal(await quantityOf(sku), 10)
  t.same(await runOn(url, 'select refund_reason from payments where payment_id = $1', [stray.payment.paymentId]), [{ refund_reason: 'unknown_order' }])
})

promise('no payment is both kept and given back, and no order goes back on its word', async (t) => {
  const sku = await seedItem(10)
  const saleId = await seedSale({ [sku]: 10 })
  const kept = paid(saleId, { [sku]: 1 })
  const returned = paid(saleId, { [sku]: 1 })
  t.match(await database.persist([kept, refund(kept, null, 'duplicate')]), ['persisted', { poisoned: /^23/ }])
  t.match(await database.persist([refund(returned, returned.order), returned]), ['persisted', { poisoned: /^23/ }])
  t.match(await database.persist([refund(kept, kept.order)]), [{ poisoned: /^23/ }])
  t.equal(await database.knownPayment(kept.payment.paymentId), 'paid')
  t.equal(await quantityOf(sku), 9)
})

promise('whatever a row refers to is there, and stays', async (t) => {
  const sku = await seedItem(10)
  const saleId = await seedSale({ [sku]: 10 })
  const { order, payment } = paid(saleId, { [sku]: 1 })
  const insertOrder = `insert into orders (order_id, sale_id, cart_id, status, total_amount, currency, customer_name, customer_email, customer_address, payment_id, outbox_id, created_at)
    values ($1, $2, $3, 'refunded', 1, 'USD', 'n', 'e', '{}', $4, '1-1', now())`
  const insertLine = `insert into order_lines (order_id, sku, position, name, quantity, unit_amount) select unnest($1::text[]), $2, 0, 'n', 1, 1`
  const insertMovement = `insert into stock_movements (sku, delta, reason) select unnest($1::text[]), 1, 'found'`
  const missing = { code: '23503' }
  await t.rejects(runOn(url, insertOrder, [order.orderId, 'nowhere', order.cartId, payment.paymentId]), missing)
  await t.rejects(runOn(url, insertOrder, [order.orderId, saleId, paid(saleId, {}).order.cartId, payment.paymentId]), { code: '23514' }, 'an order is its own cart’s')
  await runOn(url, insertOrder, [order.orderId, saleId, order.cartId, payment.paymentId])
  const other = paid(saleId, {}).order
  await t.rejects(runOn(url, insertOrder, [other.orderId, saleId, other.cartId, payment.paymentId]), { code: '23505' }, 'money goes back for one order')
  await t.rejects(runOn(url, insertLine, [[order.orderId, 'nobody'], sku]), missing, 'one of many lines is enough')
  await runOn(url, insertLine, [[order.orderId], sku])
  await t.rejects(runOn(url, insertMovement, [[sku, 'nothing']]), missing)
  await t.rejects(runOn(url, `insert into sale_ledger (sale_id, outbox_id, line) values ('nowhere', '1-1', '{}')`), missing)
  for (const [table, key] of [['orders', 'order_id'], ['orders', 'sale_id'], ['order_lines', 'order_id'], ['payments', 'payment_id'], ['sales', 'sale_id'], ['items', 'sku']]) {
    await t.rejects(runOn(url, `update ${table} set ${key} = 'another'`), { code: '23001' }, `${table} keep their ${key}`)
    await t.rejects(runOn(url, `delete from ${table}`), { code: '23001' }, `${table} stay`)
    await t.rejects(runOn(url, `truncate ${table} cascade`), { code: '23001' }, `${table} stay`)
  }
})

promise('the ledger cannot be rewritten', async (t) => {
  for (const statement of ['update stock_movements set delta = 1', 'delete from stock_movements', 'truncate stock_movements']) {
    await t.rejects(runOn(url, statement), { code: '23001' })
  }
})

/** Connections that a pool keeps, at the most. */
const connectionsBound = 10

/**
 * Asks again as long as a connection turns out to be lost: one that was told to end while it answered ends only after its answer,
 * so that each that the pool keeps may be found out by one more call.
 */
async function reached<T>(ask: () => Promise<T>): Promise<T> {
  for (let lost = 0; ; lost += 1) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable) || lost === connectionsBound) throw error
    }
  }
}

promise('a server that drops its connections ends nobody, and one that is away is a clear fault', async (t) => {
  const errors: Error[] = []
  const other = openDatabase(url, (error) => errors.push(error))
  t.teardown(() => other.close())
  const sku = await seedItem(10_000)
  const saleId = await seedSale({ [sku]: 10_000 })
  const batches = Array.from({ length: 8 }, () => Array.from({ length: 200 }, () => paid(saleId, { [sku]: 1 })))
  const running = Promise.allSettled(batches.map((batch) => other.persist(batch)))
  await other.countDeadOrders()
  await runOn(url, 'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()')
  for (const result of await running) {
    if (result.status === 'rejected') t.type(result.reason, DatabaseUnavailable)
  }
  for (const batch of batches) t.ok((await reached(() => other.persist(batch))).every((result) => result === 'persisted'))
  t.equal(await quantityOf(sku), 10_000 - 1_600)

  const nowhere = openDatabase('postgres://postgres@127.0.0.1:9/postgres')
  await t.rejects(nowhere.countDeadOrders(), DatabaseUnavailable)
  await nowhere.close()
})
