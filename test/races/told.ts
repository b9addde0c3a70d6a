/**
 * What people were told, answer by answer. Each answer is held against what it says itself and against what was said
 * before it was asked for; all of them together are held against the stores in the end.
 */
import type { Cart, Order, SaleItem } from '../../src/contract.js'
import type { Answer, Ware } from './shop.js'

export interface Told {
  /** The carts that each idempotency key was answered with. */
  readonly carts: ReadonlyMap<string, ReadonlySet<string>>
  /** Random parts of the ids of all carts and orders. */
  readonly ids: ReadonlySet<string>
  readonly orders: ReadonlySet<string>
  readonly paid: ReadonlySet<string>
  /** Payments that went well, whatever they paid for. */
  readonly taken: ReadonlySet<string>
  /** What cannot be true. */
  readonly wrong: readonly string[]
  readonly soldOut: ReadonlySet<string>
  /** Answers by what they say. */
  readonly counts: ReadonlyMap<string, number>
  cart(answer: Answer<Cart>, key?: string): void
  order(answer: Answer<Order>): void
  /** Looks at every refusal. `own`: units that the asker holds of an item, in a cart that the refusal is about. */
  refusal(answer: Answer<unknown>, own?: (sku: string) => number): void
  /** The provider has taken this money, and the shop knows. */
  payment(paymentId: string): void
  /** Counts what was no answer, or no more than was expected. */
  note(what: string): void
}

export const localOf = (id: string): string => id.slice(-22)

export function listen(wares: readonly Ware[], holdAt: 'cart' | 'checkout'): Told {
  const ware = new Map(wares.map((one) => [one.sku, one]))
  const carts = new Map<string, Set<string>>()
  const ids = new Set<string>()
  const orders = new Set<string>()
  const paidAt = new Map<string, number>()
  const taken = new Set<string>()
  const soldOutAt = new Map<string, number>()
  const counts = new Map<string, number>()
  const wrong: string[] = []

  const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)
  const must = (truth: boolean, what: () => string) => {
    if (!truth) wrong.push(what())
  }

  /** Stock as one answer tells it; `own` units are the asker's. */
  function stockIsWhole(sku: string, { quantity, available, inOtherCarts }: { quantity: number; available: number; inOtherCarts: number }, own: number): void {
    const { allocation } = ware.get(sku)!
    const told = () => `of ${allocation} ${sku}: ${quantity} unsold, ${available} available, ${inOtherCarts} in other carts, ${own} own`
    must(quantity <= allocation && available <= quantity, told)
    // Where carts hold, every unit is available, the asker's, another's or sold.
    if (holdAt === 'cart') must(quantity === available + inOtherCarts + own, told)
  }

  function linesAreWhole(lines: Cart['items'], live: boolean, holds: boolean, sentAt: number): void {
    for (const { sku, quantity, stock } of lines) {
      must(quantity <= (ware.get(sku)!.maxPerCart ?? Infinity), () => `${quantity} of ${sku} in one cart`)
      if (stock !== null) stockIsWhole(sku, stock, live ? quantity : 0)
      // Sold out means that no unit comes back: nobody can hold one after that.
      if (holds) must(sentAt < (soldOutAt.get(sku) ?? Infinity), () => `${sku} was sold out, and then somebody held ${quantity}`)
    }
  }

  const told: Told = {
    carts,
    ids,
    orders,
    taken,
    wrong,
    counts,
    get paid() {
      return new Set(paidAt.keys())
    },
    get soldOut() {
      return new Set(soldOutAt.keys())
    },
    cart(answer, key) {
      told.refusal(answer)
      if (answer.value === null) return
      const { cartId, items, status } = answer.value
      count(`cart ${status}`)
      ids.add(localOf(cartId))
      if (key !== undefined) {
        const known = carts.get(key) ?? new Set()
        carts.set(key, known.add(cartId))
        must(known.size === 1, () => `${key} made ${[...known].join(' and ')}`)
      }
      linesAreWhole(items, true, holdAt === 'cart' || status === 'checked_out', answer.sentAt)
    },
    order(answer) {
      told.refusal(answer)
      if (answer.value === null) return
      const { orderId, status, items, payment } = answer.value
      count(`order ${status}`)
      ids.add(localOf(orderId))
      orders.add(orderId)
      const live = status === 'awaiting_payment' || status === 'payment_pending'
      linesAreWhole(items, live, live, answer.sentAt)
      must(status === 'paid' || answer.sentAt < (paidAt.get(orderId) ?? Infinity), () => `${orderId} was paid, and then ${status}`)
      if (status !== 'paid') return
      if (!paidAt.has(orderId)) paidAt.set(orderId, performance.now())
      must(payment?.status === 'succeeded', () => `${orderId} is paid with a payment that is ${payment?.status}`)
      if (payment) told.payment(payment.paymentId)
    },
    refusal({ status, problem }, own = () => 0) {
      if (problem === null) return
      count(`${status} ${problem.code}`)
      if (problem.code !== 'insufficient_stock') return
      must((problem.items?.length ?? 0) > 0, () => 'a refusal for want of units names none')
      for (const { sku, requested, stock, soldOut } of problem.items ?? []) {
        stockIsWhole(sku, stock!, own(sku))
        const growth = requested - (holdAt === 'cart' ? own(sku) : 0)
        must(stock!.available < growth, () => `${growth} of ${sku} were refused with ${stock!.available} available`)
        must(soldOut === (stock!.quantity === 0), () => `${sku} is ${soldOut ? '' : 'not '}sold out, with ${stock!.quantity} unsold`)
        if (soldOut && !soldOutAt.has(sku)) soldOutAt.set(sku, performance.now())
      }
    },
    payment(paymentId) {
      taken.add(paymentId)
    },
    note: count,
  }
  return told
}

/** What a sale shows of an item adds up. */
export const showsWhole = ({ stock: { quantity, available, inCarts } }: SaleItem, holdAt: 'cart' | 'checkout'): boolean =>
  holdAt === 'cart' ? quantity === available + inCarts : available <= quantity
