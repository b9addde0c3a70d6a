/** The operator's commands, as they are run: what they print, what they change, and how they end. */
import tap, { type Test } from 'tap'
import { runOn } from './postgres.js'
import { openShop } from './contract/shop.js'
import { startProcess, type Stores } from './races/processes.js'

const shop = await openShop(tap)
const stores: Stores = { redisUrl: shop.redisUrl, databaseUrl: shop.databaseUrl }

interface Ran {
  readonly code: number | null
  readonly lines: readonly string[]
}

async function run(t: Test, command: string, ...args: string[]): Promise<Ran> {
  const running = startProcess(t, `src/cli/${command}.js`, stores, {}, args)
  const { code } = await running.ended
  return { code, lines: running.lines }
}

/** A sale of one item of its own, with an order paid that Postgres refuses, because its item is gone from the sale. */
async function poisoned(): Promise<{ saleId: string; sku: string; orderId: string; mend(): Promise<unknown> }> {
  const sku = `sku-${Math.random().toString(36).slice(2, 10)}`
  await shop.putItem(sku, 100)
  const saleId = await shop.publish({ items: { [sku]: 10 } })
  const { orderId } = await shop.paid(saleId, { [sku]: 2 })
  const [row] = await runOn<{ position: number; name: string }>(shop.databaseUrl, 'delete from sale_items where sale_id = $1 and sku = $2 returning position, name', [saleId, sku])
  await shop.drain(saleId)
  const mend = () => runOn(shop.databaseUrl,
    `insert into sale_items (sale_id, sku, position, name, description, price_amount, allocation, loaded) values ($1, $2, $3, $4, '', 2500, 10, 10)`,
    [saleId, sku, row!.position, row!.name])
  return { saleId, sku, orderId, mend }
}

void tap.test('npm run audit prints every unit of a sale, and ends with 1 where a promise is broken', async (t) => {
  const saleId = await shop.publish({ items: { A: 10 } })
  await shop.paid(saleId, { A: 3 })
  const whole = await run(t, 'audit', saleId)
  t.equal(whole.code, 0)
  t.match(whole.lines[0], /^sku +allocation +available +held +sold +persisted +inFlight$/)
  t.match(whole.lines[1], /^A +10 +7 +0 +3 +0 +3$/)
  t.match(whole.lines.at(-1), /^All holds, as of /)
  await shop.redis.hset(`fs:{${saleId}.0}:stock`, 'A', '10 8 0 0 3 2500 0')
  const broken = await run(t, 'audit', saleId)
  t.equal(broken.code, 1)
  t.match(broken.lines.join('\n'), /^I1 A: of 10 allocated, 8 are available, 0 held, 3 sold$/m)
})

void tap.test('a sale that there is not, or none named, is one line and 1', async (t) => {
  for (const args of [[], ['nobody'], ['a', 'b'], ['{x}'], ['__proto__']]) {
    const { code, lines } = await run(t, 'audit', ...args)
    t.equal(code, 1, args.join(' '))
    t.equal(lines.length, 1, lines.join('\n'))
  }
})

void tap.test('what Postgres refused is listed with its reason, counted in readyz, and persisted once it is mended', async (t) => {
  const { saleId, sku, orderId, mend } = await poisoned()
  t.match(await shop.call('GET', '/readyz'), { status: 200, body: { status: 'degraded', deadOrders: 1 } })
  const listed = await run(t, 'dead-orders', 'list')
  t.equal(listed.code, 0)
  t.match(listed.lines[1], new RegExp(`^${saleId} +\\d+-\\d+ +paid +23\\d{3} `))

  const refused = await run(t, 'dead-orders', 'retry')
  t.equal(refused.code, 1)
  t.equal(refused.lines.length, 1)
  t.match(refused.lines[0], /refused still/)
  t.equal((await shop.stored(sku)).quantity, 100, 'and nothing has changed')
  t.match(await shop.read(orderId), { status: 'paid', persisted: false })

  await mend()
  const [, outboxId] = refused.lines[0]!.split(/[ :]+/)
  const retried = await run(t, 'dead-orders', 'retry', saleId, outboxId!)
  t.strictSame(retried, { code: 0, lines: [`${saleId} ${outboxId}: persisted`] })
  t.equal((await shop.stored(sku)).quantity, 98)
  t.match(await shop.read(orderId), { status: 'paid', persisted: true })
  t.match(await shop.call('GET', '/readyz'), { body: { deadOrders: 0 } })
  t.strictSame(await run(t, 'dead-orders', 'list'), { code: 0, lines: ['No dead orders.'] })
  await shop.control(saleId, 'end')
  await shop.sweep(saleId)
  t.notOk((await shop.database.unclosedSales()).includes(saleId), 'and its sale can be closed')
})

void tap.test('an entry that a person has spoilt is refused with what is wrong in it', async (t) => {
  const { saleId } = await poisoned()
  for (const [entry, reason] of [['{', /not JSON/], ['{"kind":"paid"}', /off at/]] as const) {
    await runOn(shop.databaseUrl, 'update dead_orders set entry = $1', [entry])
    const { code, lines } = await run(t, 'dead-orders', 'retry')
    t.equal(code, 1)
    t.match(lines, [reason])
  }
  t.equal((await shop.database.deadOrders()).filter((one) => one.saleId === saleId).length, 1)
  for (const args of [[], ['retry', 'x'], ['retry', saleId, '1-1'], ['list', 'x'], ['bury']]) {
    const { code, lines } = await run(t, 'dead-orders', ...args)
    t.strictSame([code, lines.length], [1, 1], args.join(' '))
  }
})
