/**
 * An independent model predicts every answer and every counter of a sale, whatever is done to it in whatever order; and
 * where things are done at once, some order of them explains all answers.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import tap from 'tap'
import { audit } from '../../src/audit.js'
import { openDatabase } from '../../src/database.js'
import { connect, createEngine, type Engine } from '../../src/engine/engine.js'
import { createLogger } from '../../src/log.js'
import { createSandbox } from '../../src/payments/sandbox.js'
import { isRefusal } from '../../src/problems.js'
import { refundKey } from '../../src/keys.js'
import { persist } from '../../workers/persist.js'
import { freshDatabase, runOn } from '../postgres.js'
import { freshRedis, setTime, wholeness } from '../redis.js'
import { anyOperation, everydayOperation, type Known, type Operation, perform, type Real, skus } from './operations.js'
import { lapse, type Model, orderOf, readCart, readItem, readOrder, type State } from './model.js'

const runs = Number(process.env['MODEL_RUNS'] ?? 300)
const seed = process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }
/** Operations done at once, at the most: every order of them is tried. */
const atOnce = 5

const databaseUrl = await freshDatabase(tap)
const database = openDatabase(databaseUrl)
tap.teardown(() => database.close())
const { redis, url } = await freshRedis(tap)
const log = createLogger('silent')

async function engineOn(): Promise<{ engine: Engine; usable: () => ReturnType<ReturnType<typeof connect>['usable']> }> {
  const connection = connect({ url, durability: 'checked', log, onUnfit: (error) => { throw error } })
  tap.teardown(() => connection.close())
  await connection.ready
  return { engine: createEngine({ connection, nothingPublished: async () => true }), usable: connection.usable }
}
const [first, second] = [await engineOn(), await engineOn()]
const provider = createSandbox(first.usable, { production: false, warn: () => {} })

for (const sku of skus) {
  const made = await database.putItem(sku, { name: `Item ${sku}`, description: 'As pictured', price: { amount: 1_000, currency: 'USD' }, quantity: 1_000_000 })
  if (isRefusal(made)) throw new Error(made.refused)
}

const minute = 60_000
const anySale = fc.record({
  holdAt: fc.constantFrom('cart' as const, 'checkout' as const),
  allocations: fc.tuple(fc.nat(8), fc.nat(8), fc.nat(3)),
  limit: fc.option(fc.integer({ min: 1, max: 3 })),
  opensIn: fc.constantFrom(-1_000, -1_000, -1_000, minute),
  endsIn: fc.option(fc.constantFrom(5 * minute, 24 * 60 * minute), { freq: 3 }),
  holdSeconds: fc.constantFrom(60, 120),
  maxHoldSeconds: fc.constantFrom(120, 300),
  paymentSeconds: fc.constantFrom(60, 300),
  pendingSeconds: fc.constantFrom(30, 120, 600),
})
type AnySale = typeof anySale extends fc.Arbitrary<infer T> ? T : never

let sales = 0

/** Publishes a sale, its time standing still, and the model of it. */
async function open(sale: AnySale): Promise<{ model: Model; real: Real; known: Known }> {
  const saleId = `model-${process.pid}-${sales++}`
  const startOfTime = Date.UTC(2100, 0, 1) + sales
  const { allocations, limit, opensIn, endsIn, ...policy } = sale
  const startsAt = startOfTime + opensIn
  const endsAt = endsIn === null ? null : startOfTime + endsIn
  const definition = await database.createSale({
    ...policy, saleId, name: 'Friday', lowStockAt: 2, startsAt: new Date(startsAt).toISOString(), ...(endsAt === null ? {} : { endsAt: new Date(endsAt).toISOString() }),
    items: skus.map((sku, i) => ({ sku, allocation: allocations[i]!, ...(i === 1 && limit !== null ? { maxPerCart: limit } : {}) })),
  })
  if (isRefusal(definition)) throw new Error(definition.refused)
  await first.engine.publish(definition)
  await database.markPublished(saleId, startsAt)
  await setTime(redis, saleId, startOfTime)
  const shard = { saleId, shard: 0 }
  const model: Model = {
    now: startOfTime, saleId, startsAt, endsAt, paused: false, holdAt: sale.holdAt, holdMs: sale.holdSeconds * 1_000, maxHoldMs: sale.maxHoldSeconds * 1_000,
    paymentMs: sale.paymentSeconds * 1_000, pendingMs: sale.pendingSeconds * 1_000, lowStockAt: 2,
    items: new Map(skus.map((sku, i) => [sku, { allocation: allocations[i]!, sold: 0, price: 1_000, limit: i === 1 ? limit : null }])),
    carts: new Map(), orders: new Map(), keys: new Map(), payments: new Map(), claims: new Map(), adjustments: new Map(), refunds: new Map(), refunded: new Map(),
    unpersisted: new Set(),
  }
  const real: Real = {
    engine: first.engine, saleId, startOfTime,
    setTime: (at) => setTime(redis, saleId, at),
    async adjust(sku, delta) {
      const stored = await database.adjust({ sku, saleId, delta, reason: 'counted' })
      if (isRefusal(stored)) throw new Error(stored.refused)
      const { adjustmentId: id } = stored.adjustment
      const refusal = await first.engine.adjust(saleId, sku, delta, id)
      if (refusal !== null && delta < 0) await database.deleteAdjustment(id)
      else await database.markAdjustmentInRedis(id)
      return { id, refusal }
    },
    async persist() {
      for (;;) {
        const range = await first.engine.claim(shard, 500, 10_000)
        if (range === null) return
        await persist({ engine: first.engine, database, provider, log }, { ...shard, first: range.first, last: range.last })
      }
    },
    flushScripts: async () => void (await redis.script('FLUSH')),
  }
  return { model, real, known: { carts: [], payments: [], adjustments: [] } }
}

/** The states that each state may be followed by. */
const follows: Readonly<Record<State, readonly State[]>> = {
  awaiting_payment: ['payment_pending', 'paid', 'expired', 'cancelled', 'refund_due', 'refunded'],
  payment_pending: ['awaiting_payment', 'paid', 'expired', 'refund_due', 'refunded'],
  expired: ['paid', 'refund_due', 'refunded'],
  cancelled: ['refund_due', 'refunded'],
  paid: [],
  refund_due: ['refunded'],
  refunded: [],
}

/** I1 and I2 over what Redis holds, every counter as the model has it, and I7. */
async function check(model: Model, saleId: string, states: Map<string, State>): Promise<void> {
  assert.deepEqual(await wholeness(redis, saleId), [])
  const sale = await first.engine.sale(saleId)
  assert.ok(!isRefusal(sale))
  for (const { sku, stock, lowStock, mayReturnAt } of sale.items!) assert.deepEqual({ stock, lowStock, mayReturnAt }, readItem(model, sku), sku)
  for (const [id, { state }] of model.orders) {
    const before = states.get(id)
    assert.ok(before === undefined || before === state || follows[before].includes(state), `${before} became ${state}`)
    states.set(id, state)
  }
}

/** I3, I4 and I6, and what Postgres has in the end: each success paid one order or went back, once. */
async function checkEnd(model: Model, real: Real): Promise<void> {
  await real.persist()
  const report = await audit(real.saleId, real.engine, database)
  assert.ok(!isRefusal(report) && report.ok, JSON.stringify(report))
  const paid = await runOn<{ order_id: string; payment_id: string }>(databaseUrl, `select order_id, payment_id from orders where sale_id = $1 and status = 'paid'`, [real.saleId])
  const kept = new Set(paid.map(({ payment_id }) => payment_id))
  for (const [paymentId] of model.payments) {
    const gone = await redis.exists(refundKey(paymentId))
    assert.equal(Number(kept.has(paymentId)) + gone, 1, `${paymentId} paid ${Number(kept.has(paymentId))} orders and went back ${gone} times`)
  }
  for (const [id, order] of model.orders) assert.equal(paid.some(({ order_id }) => order_id === id), order.state === 'paid', id)
}

tap.test('whatever is done, every answer and every counter is what the contract predicts', { timeout: 600_000 }, async (t) => {
  await fc.assert(fc.asyncProperty(anySale, fc.array(anyOperation, { minLength: 1, maxLength: 60, size: 'max' }), async (sale, operations) => {
    const { model, real, known } = await open(sale)
    const states = new Map<string, State>()
    for (const operation of operations) {
      const step = await perform(operation, known, real, model.now)
      if (step === null) continue
      lapse(model)
      const predicted = step.predict(model)
      lapse(model)
      assert.deepEqual(step.actual, predicted, JSON.stringify(operation))
      await check(model, real.saleId, states)
    }
    await checkEnd(model, real)
  }), { numRuns: runs, includeErrorInReport: true, ...seed })
  t.pass(`${runs} runs`)
})

/** @returns every order of a list */
function* orders<T>(list: readonly T[]): Generator<T[]> {
  if (list.length === 0) yield []
  for (let i = 0; i < list.length; i += 1) for (const rest of orders(list.toSpliced(i, 1))) yield [list[i]!, ...rest]
}

const same = (a: unknown, b: unknown): boolean => {
  try {
    assert.deepEqual(a, b)
    return true
  } catch {
    return false
  }
}

tap.test('whatever is done at once, by two processes, some order of it explains every answer', { timeout: 600_000 }, async (t) => {
  const race = fc.array(everydayOperation, { minLength: 2, maxLength: atOnce })
  await fc.assert(fc.asyncProperty(anySale, fc.array(anyOperation, { maxLength: 12 }), race, async (sale, before: Operation[], racing) => {
    const { model, real, known } = await open({ ...sale, opensIn: -1_000 })
    for (const operation of before) {
      const step = await perform(operation, known, real, model.now)
      if (step === null) continue
      lapse(model)
      step.predict(model)
      lapse(model)
    }
    const start = structuredClone(known)
    const steps = (await Promise.all(racing.map((operation, i) =>
      perform(operation, structuredClone(start), { ...real, engine: i % 2 === 0 ? first.engine : second.engine }, model.now)))).flatMap((step) => step ?? [])
    const carts = [...new Set([...start.carts, ...steps.flatMap(({ actual }) => (actual !== null && typeof actual === 'object' && 'cartId' in actual ? [String(actual.cartId)] : []))])]
    const after = async () => Promise.all([
      ...carts.map((id) => real.engine.cart(id)),
      ...carts.map(async (id) => {
        const order = await real.engine.order(orderOf(id))
        return isRefusal(order) ? order : { ...order, customer: undefined }
      }),
    ])
    const seen = await after()
    assert.deepEqual(await wholeness(redis, real.saleId), [])
    const explains = (order: typeof steps): boolean => {
      const guess = structuredClone(model)
      for (const step of order) {
        let predicted: unknown
        try {
          predicted = step.predict(guess)
        } catch {
          // The model would make what was not made.
          return false
        }
        if (!same(step.actual, predicted)) return false
      }
      return same(seen, [...carts.map((id) => readCart(guess, id)), ...carts.map((id) => {
        const read = readOrder(guess, orderOf(id))
        return isRefusal(read) ? read : { ...read, customer: undefined }
      })])
    }
    let explained = false
    for (const order of orders(steps)) if (!explained) explained = explains(order)
    assert.ok(explained, `no order explains ${JSON.stringify(steps.map(({ actual }) => actual))}`)
  }), { numRuns: runs, includeErrorInReport: true, ...seed })
  t.pass(`${runs} runs`)
})
