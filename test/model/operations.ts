/**
 * What people, providers, operators and time do to a sale: as values that can be generated, done to the engine, and asked of
 * the model.
 */
import * as fc from 'fast-check'
import type { Customer, Order } from '../../src/contract.js'
import type { Engine } from '../../src/engine/engine.js'
import { isRefusal, type Refusal } from '../../src/problems.js'
import * as predict from './model.js'

export const skus = ['A', 'B', 'C'] as const
export const nowhere = 'Z'
export const customer: Customer = {
  name: 'Zoë "Z" O’Neil', email: 'zoe@example.com', address: { line1: '{1}', city: 'Köln', postalCode: '50667', country: 'DE' },
}

/** Whole numbers that pick one of what there is by then. */
const one = fc.nat(7)
const sku = fc.constantFrom(...skus, ...skus, ...skus, nowhere)
const minute = 60_000

export type Operation =
  | { do: 'hold'; lines: { sku: string; quantity: number }[]; key: number | null }
  | { do: 'set'; cart: number; sku: string; quantity: number }
  | { do: 'remove' | 'checkout' | 'look'; cart: number }
  | { do: 'begin' | 'cancel' | 'read'; order: number }
  | { do: 'settle'; order: number; payment: number; outcome: predict.Outcome; off: number }
  | { do: 'event'; order: number; page: number; outcome: 'succeeded' | 'declined'; off: number }
  | { do: 'adjust'; sku: string; delta: number; again: boolean }
  | { do: 'control'; action: 'pause' | 'resume' | 'end' }
  | { do: 'move'; ms: number }
  | { do: 'sweep' | 'persist' | 'flush' }

/** What customers and providers do. */
const everyday: fc.WeightedArbitrary<Operation>[] = [
  { weight: 8, arbitrary: fc.record({
    do: fc.constant('hold' as const),
    lines: fc.array(fc.record({ sku, quantity: fc.integer({ min: 1, max: 4 }) }), { maxLength: 3 }),
    key: fc.option(fc.nat(2), { nil: null }),
  }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('set' as const), cart: one, sku, quantity: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), cart: one }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('look' as const), cart: one }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('checkout' as const), cart: one }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('begin' as const), order: one }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'read' as const), order: one }) },
  { weight: 7, arbitrary: fc.record({
    do: fc.constant('settle' as const), order: one, payment: one,
    outcome: fc.constantFrom('succeeded' as const, 'succeeded' as const, 'succeeded' as const, 'declined' as const, 'never_taken' as const, 'pending' as const),
    off: fc.constantFrom(0, 0, 0, 0, 1),
  }) },
  { weight: 3, arbitrary: fc.record({
    do: fc.constant('event' as const), order: one, page: fc.nat(3), outcome: fc.constantFrom('succeeded' as const, 'succeeded' as const, 'declined' as const),
    off: fc.constantFrom(0, 0, 0, 1),
  }) },
]

/** What else happens to a sale. */
const others: fc.WeightedArbitrary<Operation>[] = [
  { weight: 2, arbitrary: fc.record({ do: fc.constant('adjust' as const), sku, delta: fc.integer({ min: -4, max: 4 }).filter((delta) => delta !== 0), again: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('control' as const), action: fc.constantFrom('pause' as const, 'pause' as const, 'resume' as const, 'resume' as const, 'resume' as const, 'end' as const) }) },
  { weight: 6, arbitrary: fc.record({
    do: fc.constant('move' as const),
    ms: fc.constantFrom(1, 999, 1_000, minute - 1, minute, minute + 1, 2 * minute, 5 * minute, 10 * minute, 60 * minute, 61 * minute, 24 * 60 * minute, 73 * 60 * minute),
  }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('sweep' as const, 'persist' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
]

export const anyOperation = fc.oneof(...everyday, ...others)
export const everydayOperation = fc.oneof(...everyday)

/** What has been made so far, for operations to pick from. */
export interface Known {
  readonly carts: string[]
  readonly payments: { id: string; order: string }[]
  readonly adjustments: { id: string; sku: string; delta: number }[]
}

/** The engine, and what only a whole shop can do. */
export interface Real {
  readonly engine: Engine
  readonly saleId: string
  readonly startOfTime: number
  setTime(at: number): Promise<void>
  /** @returns the adjustment's id, and why it was refused */
  adjust(sku: string, delta: number): Promise<{ id: string; refusal: Refusal | null }>
  persist(): Promise<void>
  flushScripts(): Promise<void>
}

const pick = <T>(from: readonly T[], which: number): T | undefined => from[which % from.length]

export interface Step {
  readonly actual: unknown
  /** @returns what the model says to the same; it changes the model */
  predict(model: predict.Model): unknown
}

const withoutCustomer = (order: Order): Omit<Order, 'customer'> => {
  const { customer: _, ...rest } = order
  return rest
}

/** Does an operation to the engine. @returns null where there is nothing yet that it could be done to */
export async function perform(operation: Operation, known: Known, { engine, ...real }: Real, now: number): Promise<Step | null> {
  switch (operation.do) {
    case 'hold': {
      const key = operation.key === null ? null : `key-${operation.key}`
      const actual = await engine.createCart(real.saleId, operation.lines, key ?? undefined)
      const id = isRefusal(actual) ? null : actual.cartId
      if (id !== null && !known.carts.includes(id)) known.carts.push(id)
      return { actual, predict: (model) => predict.createCart(model, operation.lines, key, id) }
    }
    case 'move':
      await real.setTime(now + operation.ms)
      return { actual: null, predict: (model) => predict.move(model, operation.ms) }
    case 'control':
      return { actual: await engine.control(real.saleId, operation.action), predict: (model) => predict.control(model, operation.action) }
    case 'adjust': {
      const earlier = operation.again ? known.adjustments.at(-1) : undefined
      const { sku: item, delta } = earlier ?? operation
      if (item === nowhere) return null
      const { id, refusal } = earlier ? { id: earlier.id, refusal: await engine.adjust(real.saleId, item, delta, earlier.id) } : await real.adjust(item, delta)
      if (!earlier) known.adjustments.push({ id, sku: item, delta })
      return { actual: refusal, predict: (model) => predict.adjust(model, item, delta, id) }
    }
    case 'sweep':
      // What one sweep ends, the next may forget: workers sweep on and on.
      for (let turn = 0; turn < 2; turn += 1) await engine.sweep({ saleId: real.saleId, shard: 0 })
      return { actual: null, predict: predict.sweep }
    case 'persist':
      await real.persist()
      return { actual: null, predict: predict.persist }
    case 'flush':
      await real.flushScripts()
      return { actual: null, predict: () => null }
  }
  const cart = pick(known.carts, 'cart' in operation ? operation.cart : operation.order)
  if (cart === undefined) return null
  const order = predict.orderOf(cart)
  switch (operation.do) {
    case 'set':
      return { actual: await engine.setLine(cart, operation.sku, operation.quantity), predict: (model) => predict.setLine(model, cart, operation.sku, operation.quantity) }
    case 'remove':
      return { actual: await engine.removeCart(cart), predict: (model) => predict.removeCart(model, cart) }
    case 'look':
      return { actual: await engine.cart(cart), predict: (model) => predict.readCart(model, cart) }
    case 'checkout': {
      const made = await engine.checkout(cart, customer)
      return { actual: isRefusal(made) ? made : { ...made, order: withoutCustomer(made.order) }, predict: (model) => predict.checkout(model, cart) }
    }
    case 'read': {
      const read = await engine.order(order)
      return { actual: isRefusal(read) ? read : withoutCustomer(read), predict: (model) => predict.readOrder(model, order) }
    }
    case 'cancel':
      return { actual: await engine.cancelOrder(order), predict: (model) => predict.cancelOrder(model, order) }
    case 'begin': {
      const begun = await engine.beginPayment(order)
      const id = !isRefusal(begun) && begun.begun ? begun.attempt.paymentId : null
      if (id !== null) known.payments.push({ id, order })
      return {
        actual: isRefusal(begun) || begun.begun ? begun : { ...begun, order: withoutCustomer(begun.order) },
        predict: (model) => predict.beginPayment(model, order, id),
      }
    }
    case 'settle':
    case 'event': {
      const told = operation.do === 'event' ? { id: `page-${real.saleId}-${operation.page}`, order } : pick(known.payments, operation.payment)
      if (told === undefined) return null
      const read = await engine.order(told.order)
      const amount = (isRefusal(read) ? 1_000 : read.total.amount) + operation.off
      const { order: after } = await engine.settlePayment({ paymentId: told.id, orderId: told.order, amount, currency: 'USD' }, operation.outcome)
      return { actual: after && withoutCustomer(after), predict: (model) => predict.settle(model, told.order, told.id, operation.outcome, amount) }
    }
  }
}
