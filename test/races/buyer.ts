/**
 * A buyer: a small state machine that does what people, browsers and providers do at a flash sale, driven by numbers that a
 * seed decides. It asks again where it is told that an outcome is not known, and tells everything to `told`.
 */
import { randomBytes } from 'node:crypto'
import type { Cart, LineRequest, Order } from '../../src/contract.js'
import { until } from './processes.js'
import { type Answer, cancelOrder, checkOut, openCart, pay, readOrder, removeCart, setLine, tell, type Ware } from './shop.js'
import type { Told } from './told.js'

/** How long it may take until somebody has asked about a payment: a worker that dies while it asks is followed half a minute later. */
const askedWithinMs = 120_000

export interface Random {
  /** @returns a whole number from 0 to below `bound` */
  below(bound: number): number
  chance(percent: number): boolean
  pick<T>(from: readonly T[]): T
}

/** The same numbers for the same seed (mulberry32). */
export function random(seed: number): Random {
  let state = seed >>> 0
  const below = (bound: number) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound)
  }
  return { below, chance: (percent) => below(100) < percent, pick: (from) => from[below(from.length)]! }
}

export interface Street {
  readonly apis: readonly [string, ...string[]]
  readonly saleId: string
  readonly wares: readonly Ware[]
  readonly told: Told
}

export interface Buyer {
  /** Makes a cart, and whatever comes of it. `eager`: only to buy. */
  visit(eager: boolean): Promise<void>
  /** The provider makes up its mind about what it was asked long ago. */
  hearLate(): Promise<void>
}

export function buyer(name: string, seed: number, { apis, saleId, wares, told }: Street): Buyer {
  const dice = random(seed)
  /** Orders that the provider was asked to charge, and that nobody has heard of again. */
  const undecided: Order[] = []
  let visits = 0
  const api = () => dice.pick(apis)

  /** @returns an answer, or null where the process died before it gave one */
  async function heard<T>(asking: Promise<Answer<T>>): Promise<Answer<T> | null> {
    try {
      return await asking
    } catch (error) {
      // What fetch throws where a connection is refused, or breaks.
      if (!(error instanceof TypeError)) throw error
      told.note('no answer')
      return null
    }
  }

  /** Asks again while the outcome is not known. */
  const patiently = <T>(ask: (api: string) => Promise<Answer<T>>, where = api()): Promise<Answer<T>> => until('an answer', async () => {
    const answer = await heard(ask(where))
    // 408: this process was too busy to send what it had begun.
    const unknown = answer?.status === 503 || answer?.status === 408
    if (unknown) told.refusal(answer)
    return !unknown && answer
  })

  /** Once; twice, one after the other; or both at once, to two processes. */
  async function insist<T>(ask: (api: string) => Promise<Answer<T>>, once = 60): Promise<Answer<T>[]> {
    const [first, second] = [api(), api()]
    if (dice.chance(once)) return [await patiently(ask, first)]
    if (dice.chance(50)) return [await patiently(ask, first), await patiently(ask, second)]
    return Promise.all([patiently(ask, first), patiently(ask, second)])
  }

  function wish(eager: boolean): LineRequest[] {
    const lines = Array.from({ length: 1 + dice.below(eager ? 1 : 3) }, () => ({ sku: dice.pick(wares).sku, quantity: eager ? 1 : 1 + dice.below(3) }))
    return !eager && dice.chance(8) ? [] : lines
  }

  async function makeCart(eager: boolean): Promise<Cart | null> {
    const key = `${name}-${visits}`
    const items = wish(eager)
    if (dice.chance(10)) {
      // A browser that is closed in the middle: whoever has the key can ask what became of it.
      const leaving = new AbortController()
      const left = openCart(api(), saleId, items, key, leaving.signal).catch(() => null)
      setTimeout(() => leaving.abort(), dice.below(8))
      const last = await left
      if (last) told.cart(last, key)
    }
    const answers = await insist((where) => openCart(where, saleId, items, key))
    for (const answer of answers) told.cart(answer, key)
    return answers.find(({ value }) => value !== null)?.value ?? null
  }

  /** Changes lines, up and down. @returns the cart as it is then */
  async function change(cart: Cart): Promise<Cart> {
    let known = cart
    for (let left = dice.below(4); left > 0; left -= 1) {
      const { sku } = dice.pick(wares)
      const quantity = dice.below(4)
      // What was held before it was asked for: of two that ask at once, the one that is refused came before the one that was not.
      const before = known
      const own = (asked: string) => before.items.find((line) => line.sku === asked)?.quantity ?? 0
      for (const answer of await insist((where) => setLine(where, cart.cartId, sku, quantity), 80)) {
        told.refusal(answer, own)
        if (answer.value === null) continue
        told.cart(answer)
        known = answer.value
      }
    }
    return known
  }

  async function look(orderId: string): Promise<Order | null> {
    const answer = await patiently((where) => readOrder(where, orderId))
    told.order(answer)
    return answer.value
  }

  /** The provider tells of a payment, and the buyer looks. */
  async function hear(order: Order, type: 'payment.succeeded' | 'payment.failed', paymentId: string, amount = order.total.amount): Promise<void> {
    const event = { eventId: randomBytes(8).toString('hex'), type, orderId: order.orderId, paymentId, amount, currency: order.total.currency }
    for (const answer of await insist((where) => tell(where, event))) {
      told.refusal(answer)
      if (answer.status === 200 && type === 'payment.succeeded') told.payment(paymentId)
    }
    await look(order.orderId)
  }

  const ownPage = () => `page-${randomBytes(8).toString('hex')}`

  async function charge({ orderId }: Order, token: string): Promise<Order | null> {
    let latest: Order | null = null
    // Told that its outcome is not known, nobody would ask again with a token that is never answered.
    const answers = token === 'tok_unreachable' ? [await heard(pay(api(), orderId, token))] : await insist((where) => pay(where, orderId, token), 75)
    for (const answer of answers) {
      if (answer === null) continue
      if (token === 'tok_unreachable' && answer.status === 503) told.note('the provider was not reached')
      else told.order(answer)
      latest = answer.value ?? latest
    }
    return latest
  }

  /** Ways to end an order, and how many of a hundred take each. */
  const ways: readonly (readonly [number, (order: Order) => Promise<void>])[] = [
    [35, async (order) => void await charge(order, 'tok_ok')],
    [12, async (order) => {
      await charge(order, 'tok_declined')
      if (dice.chance(70)) await charge(order, 'tok_ok')
    }],
    [20, async (order) => {
      const paymentId = (await charge(order, 'tok_pending'))?.payment?.paymentId
      if (paymentId === undefined) return
      if (dice.chance(25)) return void undecided.push(order)
      if (dice.chance(25)) {
        await hear(order, 'payment.failed', paymentId)
        if (dice.chance(50)) return void await charge(order, 'tok_ok')
      }
      await hear(order, 'payment.succeeded', paymentId)
      if (dice.chance(40)) await hear(order, 'payment.failed', paymentId)
    }],
    [5, async (order) => {
      await charge(order, 'tok_unreachable')
      await until('a worker has asked for the outcome', async () => (await look(order.orderId))?.status !== 'payment_pending', askedWithinMs)
      if (dice.chance(60)) await charge(order, 'tok_ok')
    }],
    [8, (order) => hear(order, 'payment.succeeded', ownPage())],
    [4, async (order) => {
      await charge(order, 'tok_ok')
      await hear(order, 'payment.succeeded', ownPage())
    }],
    [3, (order) => hear(order, 'payment.succeeded', ownPage(), order.total.amount - 1)],
    [8, async (order) => {
      for (const answer of await insist((where) => cancelOrder(where, order.orderId))) told.refusal(answer)
      if (dice.chance(40)) await hear(order, 'payment.succeeded', ownPage())
    }],
    [5, async () => {}],
  ]

  async function end(order: Order): Promise<void> {
    let turn = dice.below(100)
    for (const [share, way] of ways) {
      if (turn < share) return way(order)
      turn -= share
    }
  }

  return {
    async visit(eager) {
      visits += 1
      const made = await makeCart(eager)
      if (made === null) return
      const cart = eager ? made : await change(made)
      if (!eager && dice.chance(15)) return
      if (!eager && dice.chance(12)) {
        for (const answer of await insist((where) => removeCart(where, cart.cartId))) told.refusal(answer)
        return
      }
      const answers = await insist((where) => checkOut(where, cart.cartId))
      for (const answer of answers) told.order(answer)
      const order = answers.find(({ value }) => value !== null)?.value
      if (order) await (eager ? charge(order, 'tok_ok') : end(order))
    },
    async hearLate() {
      for (const order of undecided.splice(0)) {
        const known = await look(order.orderId)
        if (known?.payment && dice.chance(60)) await hear(known, 'payment.succeeded', known.payment.paymentId)
      }
    },
  }
}
