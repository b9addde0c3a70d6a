/** From the cart to the order: checkout, payment, and following an order until it is saved. */
import type { Cart, Customer, Order } from '../../contract.js'
import { ask, pause, pauseMs } from '../api.js'
import { longestTimerMs, shopNow } from '../clock.js'
import { cartPath, isGone } from './cart.js'
import { oneTabAtATime, remember, remembered } from './memory.js'
import { hearLines } from './sale.js'
import { isUnpaid, type Store } from './state.js'
import { cardDeclined, tell } from './words.js'

const firstLookMs = 300
const longestLookMs = 10_000
/** How soon an order that should have lapsed by our clock, and has not by the shop's, is looked at again. */
const soonestOverdueMs = 1_000
/** Charges of one click that the shop has never begun, and those of which the bank has never heard. */
const unbegunBound = 8
const unheardBound = 2

export interface OrderActions {
  /** @returns whether there is an order now */
  checkOut(cart: Cart, customer: Customer): Promise<boolean>
  pay(order: Order, paymentToken: string): Promise<void>
  cancel(order: Order): Promise<void>
  /** Takes up an order. */
  adopt(orderId: string): Promise<void>
  /** Takes up the order that this browser remembers. */
  resume(): Promise<void>
}

export function createOrderActions(store: Store, saleId: string): OrderActions {
  let overdue: ReturnType<typeof setTimeout> | undefined
  /** The order that is followed, so that none is followed twice, and what comes of it. */
  let followed: { readonly orderId: string; readonly outcome: Promise<Order | null> } | null = null

  /** Whether nobody has made another order since, here or in another tab. */
  const isCurrent = (orderId: string) => remembered(saleId).orderId === orderId

  function show(order: Order): void {
    if (!isCurrent(order.orderId)) return
    store.set({ order })
    // What is paid for is in no cart any more.
    hearLines(store, isUnpaid(order) ? order.items : order.items.map((line) => ({ ...line, quantity: 0 })))
    clearTimeout(overdue)
    if (order.status === 'awaiting_payment' && order.payBy !== null) {
      const leftMs = Date.parse(order.payBy) - shopNow()
      overdue = setTimeout(() => void look(order.orderId), Math.min(longestTimerMs, Math.max(soonestOverdueMs, leftMs + 500)))
    }
    if (isMoving(order)) void follow(order.orderId)
  }

  /** @returns null where the order cannot be read, or is not the current one any more */
  async function look(orderId: string): Promise<Order | null> {
    const answer = await ask<Order>('GET', orderPath(orderId))
    if (!isCurrent(orderId)) return null
    if ('value' in answer) {
      show(answer.value)
      return answer.value
    }
    // Its id is all that its customer has of it.
    if (answer.refused.code === 'order_not_found') {
      store.set({ order: null })
      remember(saleId, { orderId: undefined })
    }
    return null
  }

  /** @returns the order once it does not change by itself any more, null once it is not the current one */
  function follow(orderId: string): Promise<Order | null> {
    if (followed?.orderId === orderId) return followed.outcome
    const outcome = followOne(orderId).finally(() => {
      if (followed?.outcome === outcome) followed = null
    })
    followed = { orderId, outcome }
    return outcome
  }

  /** Asks about an order less and less often. */
  async function followOne(orderId: string): Promise<Order | null> {
    for (let attempt = 0; isCurrent(orderId); attempt += 1) {
      await pause(pauseMs(attempt / 2, firstLookMs, longestLookMs))
      const before = store.get().order
      const order = await look(orderId)
      if (before?.status === 'payment_pending' && order?.status === 'awaiting_payment') store.set({ notice: { kind: 'bad', text: nothingTaken(order) } })
      if (order !== null && !isMoving(order)) return order
    }
    return null
  }

  async function checkOut(cart: Cart, customer: Customer): Promise<boolean> {
    const answer = await ask<Order>('POST', `${cartPath(cart.cartId)}/checkout`, { body: { customer } })
    if ('value' in answer) {
      store.set({ cart: null, notice: null, fieldErrors: {} })
      remember(saleId, { cartId: undefined, orderId: answer.value.orderId })
      show(answer.value)
      return true
    }
    const { refused } = answer
    if (isGone(refused)) {
      store.set({ cart: null })
      remember(saleId, { cartId: undefined })
    }
    store.set({ fieldErrors: Object.fromEntries((refused.errors ?? []).map(({ path, message }) => [path.split('/').at(-1)!, `This ${message}.`])) })
    tell(store, refused)
    return false
  }

  /** A charge whose outcome is not known is not simply repeated: the order says what became of it, and only where nothing did it is made again. */
  async function pay({ orderId, payment }: Order, paymentToken: string): Promise<void> {
    let [unbegun, unheard] = [0, 0]
    let lastPaymentId = payment?.paymentId
    for (;;) {
      store.set({ notice: null })
      const answer = await ask<Order>('POST', `${orderPath(orderId)}/payments`, { body: { paymentToken }, once: true })
      if ('value' in answer) {
        // So that the other tabs look as well.
        remember(saleId, {})
        return show(answer.value)
      }
      const { code } = answer.refused
      if (code !== 'unavailable' && code !== 'overloaded' && code !== 'too_many_requests') {
        tell(store, answer.refused)
        await look(orderId)
        return
      }
      const order = await look(orderId)
      if (order?.status === 'payment_pending') {
        const settled = await follow(orderId)
        if (settled?.status !== 'awaiting_payment' || settled.payment !== null) return
        lastPaymentId = undefined
        unheard += 1
        if (unheard === unheardBound) return
      } else {
        if (order?.status !== 'awaiting_payment') return
        // The charge was made, and only its answer was lost.
        if (order.payment?.paymentId !== lastPaymentId) return store.set({ notice: { kind: 'bad', text: nothingTaken(order) } })
        unbegun += 1
        if (unbegun === unbegunBound) return tell(store, answer.refused)
        await pause(pauseMs(unbegun))
      }
    }
  }

  return {
    checkOut: (cart, customer) => oneTabAtATime(saleId, () => checkOut(cart, customer)),
    pay,
    async cancel({ orderId }) {
      const answer = await ask<null>('DELETE', orderPath(orderId))
      if ('refused' in answer) tell(store, answer.refused)
      else store.set({ notice: { kind: 'good', text: 'Your order is cancelled, and nothing was charged.' } })
      remember(saleId, {})
      await look(orderId)
    },
    async adopt(orderId) {
      remember(saleId, { orderId })
      await look(orderId)
    },
    async resume() {
      const { orderId } = remembered(saleId)
      if (orderId !== undefined) await look(orderId)
    },
  }
}

const orderPath = (orderId: string) => `/v1/orders/${encodeURIComponent(orderId)}`

/** Whether an order becomes something else without its customer. */
const isMoving = ({ status, persisted }: Order): boolean => status === 'payment_pending' || status === 'refund_due' || (status === 'paid' && !persisted)

const nothingTaken = ({ payment }: Order) => payment?.status === 'declined'
  ? cardDeclined
  : 'The bank could not be reached, and nothing was charged. Your items are still held: try again.'
