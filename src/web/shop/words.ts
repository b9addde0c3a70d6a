/** What the shop's refusals mean to a customer: what happened, and what they can do. */
import type { ProblemCode } from '../../problems.js'
import type { Refused } from '../api.js'
import { shopNow } from '../clock.js'
import { count, dayAndTime, timeOfDay } from '../format.js'
import type { Store } from './state.js'

/** Only operators and the payment provider hear these. */
type ForOthers = 'unauthorized' | 'over_allocated' | 'sale_exists' | 'item_exists' | 'below_committed' | 'sale_state'
type ForCustomers = Exclude<ProblemCode, ForOthers>

/** @param name what an item is called, by its sku */
type Words = (refused: Refused, name: (sku: string) => string) => string

export const cardDeclined = 'The card was declined, and nothing was charged. Your items are still held: try again or use another card.'
const faulty = () => 'Something about this request was wrong, and it was not carried out. Reload the page and try again.'

const words: Readonly<Record<ForCustomers, Words>> = {
  invalid_request: () => 'Some of these details cannot be right. They are marked; please look at them again.',
  payment_declined: () => cardDeclined,
  sale_not_found: () => 'This sale does not exist. Check the address, or look at what else is on.',
  item_not_found: () => 'This item is not part of the sale. Choose another one.',
  cart_not_found: () => 'Your cart is gone. Add your items again: what is still there is yours.',
  order_not_found: () => 'We could not find this order. If you have paid, your confirmation has its number.',
  route_not_found: () => 'This page is out of date. Reload it.',
  request_timeout: () => 'Your connection was too slow for this request. Try again.',
  insufficient_stock: short,
  sale_not_open: ({ startsAt }) => startsAt !== undefined && Date.parse(startsAt) > shopNow()
    ? `The sale has not begun yet. It starts on ${dayAndTime(startsAt)}.`
    : 'The sale is paused. What you hold stays yours; try again in a moment.',
  cart_checked_out: () => 'This cart has become an order already. You can pay for it, or begin a new cart.',
  cart_empty: () => 'Your cart is empty. Add something first.',
  order_already_paid: () => 'This order has been paid. There is nothing more to do.',
  payment_in_progress: () => 'A payment for this order is under way. Wait for its outcome; you will not be charged twice.',
  sale_ended: () => 'The sale has ended. What you already hold you can still check out and pay for.',
  cart_expired: () => 'The time for your cart ran out, and your items went back on sale. Add them again if they are still there.',
  order_expired: () => 'The time to pay for this order ran out, and its items went back on sale. Nothing was charged for it that will not be given back.',
  order_cancelled: () => 'This order was cancelled. Nothing was charged for it that will not be given back.',
  payload_too_large: faulty,
  unsupported_media_type: faulty,
  headers_too_large: faulty,
  limit_exceeded: ({ items = [] }, name) => items
    .map(({ sku, maxPerCart = 0 }) => `One customer can have at most ${count(maxPerCart)} of ${name(sku)}.`).join(' '),
  idempotency_key_reused: faulty,
  too_many_requests: () => 'That was a little fast. Wait a moment, then try again.',
  overloaded: () => 'The shop is very busy right now. Try again in a moment.',
  unavailable: () => 'We could not reach the shop just now. Try again in a moment.',
}

/** @returns what the sale calls an item */
export const nameOf = (store: Store, sku: string): string => store.get().sale?.items.find((item) => item.sku === sku)?.name ?? sku

/** @returns a sentence or two for a customer */
export function explain(store: Store, refused: Refused): string {
  const say: Words = refused.code in words ? words[refused.code as ForCustomers] : faulty
  return say(refused, (sku) => nameOf(store, sku))
}

/** Tells the customer of a refusal. */
export const tell = (store: Store, refused: Refused): void => store.set({ notice: { kind: 'bad', text: explain(store, refused) } })

function short({ items = [] }: Refused, name: (sku: string) => string): string {
  return items.map(({ sku, stock, soldOut, mayReturnAt }) => {
    if (soldOut) return `${name(sku)} is sold out. We are sorry; look at what else is left.`
    const available = stock?.available ?? 0
    if (available > 0) return `There ${available === 1 ? 'is only one' : `are only ${count(available)}`} left of ${name(sku)}. Choose fewer.`
    const back = mayReturnAt ? ` Some may come back at ${timeOfDay(mayReturnAt)}.` : ''
    return `All that are left of ${name(sku)} are in other customers’ carts.${back}`
  }).join(' ')
}
