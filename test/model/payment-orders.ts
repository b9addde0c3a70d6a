/**
 * Every order of what can happen to one order and its payments. Orders for which time moves and workers run at the same steps share
 * a sale, and go through their steps side by side; each has its own sequence.
 */
import type { Test } from 'tap'
import { audit } from '../../src/audit.js'
import type { Order } from '../../src/contract.js'
import { connect, createEngine } from '../../src/engine/engine.js'
import { refundKey } from '../../src/keys.js'
import { createLogger } from '../../src/log.js'
import type { ProviderPayment } from '../../src/outbox.js'
import type { PaymentProvider } from '../../src/payments/provider.js'
import { createSandbox } from '../../src/payments/sandbox.js'
import { isRefusal } from '../../src/problems.js'
import { askAboutAttempts } from '../../workers/attempts.js'
import { persist } from '../../workers/persist.js'
import { jobBound, outstandingBound } from '../../workers/relay.js'
import { runOn } from '../postgres.js'
import { freshRedis, moveTime, wholeness } from '../redis.js'
import { accepted, database, newId, plan, seedItem, url as databaseUrl } from '../store.js'
import { customer } from './operations.js'

/**
 * `told`: the success of the first payment, and it is told again. `failed`: its failure, which may be told before or after. `cut`: the
 * customer pays again, the provider takes it, and its answer never comes. `page`: a payment on the provider's own page has
 * succeeded. `lapse`: time passes every deadline. `cancel`: the customer cancels. `work`: workers ask about what is not
 * known, write what is paid, and make the refunds that are due.
 */
const happenings = ['told', 'told', 'failed', 'cut', 'page', 'lapse', 'cancel', 'work'] as const
type Happening = (typeof happenings)[number]
type Sequence = readonly Happening[]

/** The first payment was begun here, or on the provider's own page. */
const beginnings = ['here', 'page'] as const
/** What becomes of units that lapse or are given back: they stay, or somebody else takes them at once. */
const rivals = ['none', 'everything'] as const

interface World {
  readonly begins: (typeof beginnings)[number]
  readonly rival: (typeof rivals)[number]
}

/** @returns every different order of these things, those that are the same being one */
function permutations(of: readonly Happening[]): Happening[][] {
  if (of.length === 0) return [[]]
  return [...new Set(of)].flatMap((first) => permutations(of.toSpliced(of.indexOf(first), 1)).map((rest) => [first, ...rest]))
}

const worlds: readonly World[] = beginnings.flatMap((begins) => rivals.map((rival) => ({ begins, rival })))

/** @returns the sequences that share their steps for time and for the workers */
function groups(): Sequence[][] {
  const grouped = new Map<string, Sequence[]>()
  for (const sequence of permutations(happenings)) {
    const steps = `${sequence.indexOf('lapse')} ${sequence.indexOf('work')}`
    grouped.set(steps, [...(grouped.get(steps) ?? []), sequence])
  }
  return [...grouped.values()]
}

/** How many there are of all, in every world. */
export const allSequences = worlds.length * permutations(happenings).length

/** States that one happening may lead to: only forward, except that what was declined is payable again. */
const forward: Readonly<Record<Order['status'], readonly Order['status'][]>> = {
  awaiting_payment: ['payment_pending', 'paid', 'expired', 'cancelled', 'refund_due', 'refunded'],
  payment_pending: ['awaiting_payment', 'paid', 'expired', 'refund_due', 'refunded'],
  expired: ['paid', 'refund_due', 'refunded'],
  cancelled: ['refund_due', 'refunded'],
  refund_due: ['refunded'],
  paid: [],
  refunded: [],
}

interface Fate {
  readonly orderId: string
  readonly sequence: Sequence
  readonly first: ProviderPayment
  status: Order['status']
}

/** What became of all payments that were taken. */
export interface Tally {
  orders: number
  paid: number
  refunded: number
}

const log = createLogger('silent')
/** Sales that run side by side, and orders of one: all of them ask at once, and none may wait for longer than a command may. */
const salesAtOnce = 6
const ordersBound = 40
const price = 2_500
/** Past every deadline of an order, and short of the time at which it is forgotten. */
const lapseMs = 16 * 60_000
/** By when a worker asks about an attempt. */
const askMs = 5_000

/** @returns what runs a group of sequences in one world, in a sale of their own */
export async function openPaymentOrders(t: Test): Promise<(sequences: readonly Sequence[], world: World) => Promise<{ wrong: string[]; tally: Tally }>> {
  const { redis, url } = await freshRedis(t)
  const connection = connect({ url, durability: 'checked', log, onUnfit: (error) => t.fail(error.message) })
  t.teardown(() => connection.close())
  await connection.ready
  const engine = createEngine({ connection, nothingPublished: async () => true })
  const sandbox = createSandbox(connection.usable, { production: false, warn: (message) => t.fail(message) })
  const sku = await seedItem(1_000_000_000)
  let asked = Promise.resolve()

  return async (sequences, world) => {
    const saleId = newId('sale')
    const shard = { saleId, shard: 0 }
    const definition = accepted(await database.createSale(plan({ saleId, name: 'Friday', items: [{ sku, allocation: sequences.length }] })))
    await database.markPublished(saleId, (await engine.publish(definition)).startsAtMs)
    const wrong: string[] = []
    /** Every payment that the provider has taken, and how often it was asked to give it back. */
    const taken = new Map<string, { payment: ProviderPayment; refunds: number; fate: Fate }>()
    const provider: PaymentProvider = {
      ...sandbox,
      async refund(payment, reason) {
        const known = taken.get(payment.paymentId)
        if (known === undefined) wrong.push(`${payment.paymentId} is refunded and was never taken`)
        await sandbox.refund(payment, reason)
        if (known !== undefined) known.refunds += 1
      },
    }
    const take = (payment: ProviderPayment, fate: Fate) => {
      if (!taken.has(payment.paymentId)) taken.set(payment.paymentId, { payment, refunds: 0, fate })
    }

    const begin = async (sequence: Sequence): Promise<Fate> => {
      const cart = accepted(await engine.createCart(saleId, [{ sku, quantity: 1 }]))
      const { order: { orderId, status } } = accepted(await engine.checkout(cart.cartId, customer))
      if (world.begins === 'page') {
        return { orderId, sequence, status, first: { paymentId: newId('page'), orderId, amount: price, currency: 'USD' } }
      }
      const begun = accepted(await engine.beginPayment(orderId))
      if (!begun.begun) throw new Error('an order was paid before it was')
      await provider.charge(begun.attempt, 'tok_pending')
      return { orderId, sequence, status: 'payment_pending', first: begun.attempt }
    }

    async function succeed(payment: ProviderPayment, fate: Fate): Promise<void> {
      take(payment, fate)
      await engine.settlePayment(payment, 'succeeded')
    }

    const happen = async (what: Happening | undefined, fate: Fate): Promise<void> => {
      const { orderId, first } = fate
      switch (what) {
        case 'told':
          return succeed(first, fate)
        case 'failed':
          return void (await engine.settlePayment(first, 'declined'))
        case 'page':
          return succeed({ paymentId: newId('other'), orderId, amount: price, currency: 'USD' }, fate)
        case 'cancel':
          return void (await engine.cancelOrder(orderId))
        case 'cut': {
          const begun = await engine.beginPayment(orderId)
          if (isRefusal(begun) || !begun.begun) return
          // The process that asked is dead when the answer comes.
          await provider.charge(begun.attempt, 'tok_ok')
          return take(begun.attempt, fate)
        }
      }
    }

    async function ask(): Promise<void> {
      for (;;) {
        const { count, answered } = await askAboutAttempts(engine, provider, log, shard)
        await answered
        if (count === 0) break
      }
    }

    /** As the queue does it: what must be tried again is, a bounded number of times. */
    async function persistAgain({ first, last }: { first: string; last: string }, tries = 10): Promise<void> {
      try {
        await persist({ engine, database, provider, log }, { ...shard, first, last })
      } catch (error) {
        if (tries === 1) throw error
        await persistAgain({ first, last }, tries - 1)
      }
    }

    async function work(): Promise<void> {
      await moveTime(redis, saleId, askMs)
      // One sale after the other: a process asks about no more than so many attempts at once.
      await (asked = asked.catch(() => undefined).then(ask))
      for (;;) {
        const range = await engine.claim(shard, jobBound, outstandingBound)
        if (range === null) break
        await persistAgain(range)
      }
    }

    async function lapse(): Promise<void> {
      await moveTime(redis, saleId, lapseMs)
      if (world.rival === 'none') return
      const { stock: { available } } = accepted(await engine.item(saleId, sku))
      if (available > 0) accepted(await engine.createCart(saleId, [{ sku, quantity: available }]))
    }

    const look = async (fates: readonly Fate[], after: string): Promise<void> => {
      await Promise.all(fates.map(async (fate) => {
        const { status } = accepted(await engine.order(fate.orderId))
        if (status !== fate.status && !forward[fate.status].includes(status)) wrong.push(`${fate.sequence.join(' ')}: ${fate.status} became ${status} after ${after}`)
        fate.status = status
      }))
      for (const fault of await wholeness(redis, saleId)) wrong.push(`after ${after}: ${fault}`)
    }

    const fates = await Promise.all(sequences.map(begin))
    for (let step = 0; step < happenings.length; step += 1) {
      // The same for all of them.
      const shared = sequences[0]![step]!
      if (shared === 'work') await work()
      else if (shared === 'lapse') await lapse()
      else await Promise.all(fates.map((fate) => happen(fate.sequence[step], fate)))
      await look(fates, `step ${step + 1}`)
    }
    await work()
    await moveTime(redis, saleId, lapseMs)
    await work()
    await look(fates, 'the end')

    // --- For every payment that was taken: one order, or one refund ---
    const orders = await runOn<{ payment_id: string; order_id: string; status: string }>(databaseUrl, 'select payment_id, order_id, status from orders where sale_id = $1', [saleId])
    const told = await runOn<{ payment_id: string; status: string }>(databaseUrl, 'select payment_id, status from payments where payment_id = any($1)', [[...taken.keys()]])
    const paidBy = new Map(orders.filter(({ status }) => status === 'paid').map((row) => [row.payment_id, row.order_id]))
    const ledger = new Map(told.map((row) => [row.payment_id, row.status]))
    const tally: Tally = { orders: fates.length, paid: 0, refunded: 0 }
    await Promise.all([...taken].map(async ([paymentId, { payment, refunds, fate }]) => {
      const back = await redis.get(refundKey(paymentId))
      const hasOrder = paidBy.get(paymentId) === fate.orderId && fate.status === 'paid'
      const hasRefund = back?.startsWith(`${payment.amount} ${payment.currency} `) === true && refunds === 1
      if (hasOrder && back === null && ledger.get(paymentId) === 'succeeded') tally.paid += 1
      else if (!paidBy.has(paymentId) && hasRefund && ledger.get(paymentId) === 'refunded') tally.refunded += 1
      else {
        wrong.push(`${fate.sequence.join(' ')} (${world.begins}, ${world.rival}): ${paymentId === fate.first.paymentId ? 'the first payment' : paymentId.slice(0, 5)} `
          + `${paidBy.has(paymentId) ? 'has paid' : 'has not paid'}, was given back ${refunds} times (${back}), Postgres says ${ledger.get(paymentId)}, the order is ${fate.status}`)
      }
    }))
    if (paidBy.size !== tally.paid) wrong.push(`${paidBy.size} orders are paid, by ${tally.paid} payments`)
    const report = accepted(await audit(saleId, engine, database))
    for (const { rule, detail } of report.violations) wrong.push(`${rule}: ${detail}`)
    if (report.items[0]!.sold !== tally.paid || report.items[0]!.inFlight !== 0) wrong.push(`${report.items[0]!.sold} units are sold for ${tally.paid} payments`)
    return { wrong, tally }
  }
}

/** Random numbers from a seed (mulberry32): the same seed runs the same sequences. @returns numbers from 0 to below 1 */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A machine that is too busy cuts a call of the test's own, whose outcome it needs: then a new sale is had. */
async function runAgain<T>(run: () => Promise<T>, tries = 5): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (tries === 1 || !(error instanceof Error) || error.message !== 'Command timed out') throw error
    return runAgain(run, tries - 1)
  }
}

const inParts = (group: readonly Sequence[]): (readonly Sequence[])[] =>
  Array.from({ length: Math.ceil(group.length / ordersBound) }, (_, i) => group.slice(i * ordersBound, (i + 1) * ordersBound))

/** Of the groups, where not all are run: a sale costs more than an order. */
const sampledShare = 1 / 4

/** Runs so many sequences of some groups in every world, or all of all. @returns how many orders there were */
export async function runPaymentOrders(t: Test, ofEach: number | 'all', seed: number): Promise<number> {
  const run = await openPaymentOrders(t)
  const throwDice = dice(seed)
  let orders = 0
  for (const world of worlds) {
    const samples = groups().filter(() => ofEach === 'all' || throwDice() < sampledShare)
      .flatMap((group) => inParts(ofEach === 'all' ? group : Array.from({ length: ofEach }, () => group[Math.floor(throwDice() * group.length)]!)))
    const total: Tally = { orders: 0, paid: 0, refunded: 0 }
    const wrong: string[] = []
    const runOthers = async (): Promise<void> => {
      for (let sample = samples.pop(); sample !== undefined; sample = samples.pop()) {
        const { tally, wrong: found } = await runAgain(() => run(sample, world))
        wrong.push(...found)
        for (const key of ['orders', 'paid', 'refunded'] as const) total[key] += tally[key]
      }
    }
    await Promise.all(Array.from({ length: salesAtOnce }, runOthers))
    const what = `the first payment begun ${world.begins === 'here' ? 'here' : 'on a page'}, what lapses ${world.rival === 'none' ? 'left' : 'taken by others'}`
    t.strictSame(wrong.slice(0, 10), [], `${what}: of ${total.orders} orders ${total.paid} payments have one, and ${total.refunded} went back`)
    t.ok(total.paid > 0 && total.refunded > 0, `${what}: there are both`)
    t.comment(`${what}: ${JSON.stringify(total)}, ${wrong.length} wrong`)
    orders += total.orders
  }
  return orders
}
