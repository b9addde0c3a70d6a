/** The cart: filling it, changing it, and what happens when its time is over. */
import type { Cart, LineRequest } from '../../contract.js'
import { type Answer, ask, type Refused } from '../api.js'
import { longestTimerMs, shopNow } from '../clock.js'
import { count, timeOfDay } from '../format.js'
import { newKey } from '../key.js'
import { oneTabAtATime, remember, remembered } from './memory.js'
import { hearLines, readSale, salePath } from './sale.js'
import { inCart, type Store } from './state.js'
import { explain, nameOf, tell } from './words.js'

/** A cart that should have lapsed by our clock, and has not by the shop's: how soon to look again, in ms. */
const lookAgainMs = 1_000

export interface CartActions {
  /** One unit more. */
  add(sku: string): void
  /** So many units; 0 removes the line. */
  setQuantity(sku: string, quantity: number): void
  /** Takes up what this browser remembers: a cart, or a request for one. */
  resume(): Promise<void>
}

/** @param onCheckedOut told where a cart turns out to be an order */
export function createCartActions(store: Store, saleId: string, onCheckedOut: (orderId: string) => Promise<void>): CartActions {
  let lapse: ReturnType<typeof setTimeout> | undefined

  function show(cart: Cart): void {
    store.set({ cart })
    hearLines(store, cart.items)
    clearTimeout(lapse)
    const leftMs = Math.max(0, Date.parse(cart.expiresAt) - shopNow())
    lapse = setTimeout(() => void oneTabAtATime(saleId, look), Math.min(longestTimerMs, leftMs + 50))
  }

  function forget(): void {
    clearTimeout(lapse)
    store.set({ cart: null })
    if (remembered(saleId).cartId !== undefined) remember(saleId, { cartId: undefined })
  }

  /** Reads the cart as the shop has it, and says so where it is gone. */
  async function look(cartId = store.get().cart?.cartId): Promise<void> {
    if (cartId === undefined) return
    const answer = await ask<Cart>('GET', cartPath(cartId))
    if ('refused' in answer) return isGone(answer.refused) ? gone(answer.refused) : undefined
    if (answer.value.orderId !== null) return checkedOut(answer.value.orderId)
    show(answer.value)
    if (Date.parse(answer.value.expiresAt) > shopNow()) return
    clearTimeout(lapse)
    lapse = setTimeout(() => void oneTabAtATime(saleId, look), lookAgainMs)
  }

  /** An empty cart may go without a word; of what was in another one, the customer can try to get it again. */
  async function gone(refused: Refused): Promise<void> {
    const { cart, order } = store.get()
    const lines = cart?.items ?? []
    forget()
    // Another tab has made it an order, and perhaps paid for it.
    if (lines.length === 0 || order?.cartId === cart?.cartId) return
    const again = lines.map(({ sku, quantity }) => ({ sku, quantity }))
    store.set({ notice: { kind: 'bad', text: explain(store, refused), action: { label: 'Try to get them again', run: () => void fill(again) } } })
    await readSale(store, saleId)
  }

  async function checkedOut(orderId: string): Promise<void> {
    forget()
    await onCheckedOut(orderId)
  }

  /** Makes a cart with all of these units or none. */
  async function make(items: readonly LineRequest[], key = newKey()): Promise<Answer<Cart>> {
    remember(saleId, { pending: { key, items } })
    const answer = await ask<Cart>('POST', `${salePath(saleId)}/carts`, { body: { items }, key })
    remember(saleId, { pending: undefined, ...('value' in answer && { cartId: answer.value.cartId }) })
    return answer
  }

  const fill = (items: readonly LineRequest[]) => store.busyWith('fill', () => oneTabAtATime(saleId, async () => {
    const answer = await make(items)
    if ('refused' in answer) return refuse(answer.refused)
    show(answer.value)
    store.set({ notice: { kind: 'good', text: `They are yours again, until ${timeOfDay(answer.value.expiresAt)}.` } })
  }))

  /** Changes a line of a cart. @returns null where the cart is no more, which its customer has been told */
  async function setLine(cartId: string, sku: string, quantity: number): Promise<Answer<Cart> | null> {
    const answer = await ask<Cart>('PUT', `${cartPath(cartId)}/items/${encodeURIComponent(sku)}`, { body: { quantity } })
    if ('value' in answer) {
      remember(saleId, {})
      return answer
    }
    const { refused } = answer
    if (isGone(refused)) await gone(refused)
    else if (refused.code === 'cart_checked_out') {
      tell(store, refused)
      await look(cartId)
    } else return answer
    return null
  }

  async function refuse(refused: Refused): Promise<void> {
    tell(store, refused)
    if (refused.items !== undefined) {
      hearLines(store, refused.items.map(({ sku, stock = null, mayReturnAt = null }) => ({ sku, quantity: inCart(store.get().cart, sku), stock, mayReturnAt })))
    }
    if (refused.code === 'sale_not_open' || refused.code === 'sale_ended') await readSale(store, saleId)
  }

  /** @param wanted how many units of it there shall be, by how many there are @param anew whether a cart is made where there is none any more */
  const change = (sku: string, wanted: (now: number) => number, anew: boolean) => void store.busyWith(`item:${sku}`, () => oneTabAtATime(saleId, async () => {
    await catchUp()
    const { cart } = store.get()
    const before = inCart(cart, sku)
    if (wanted(before) === before) return
    const changed = cart && (await setLine(cart.cartId, sku, wanted(before)))
    const answer = changed ?? (anew ? await make([{ sku, quantity: wanted(0) }]) : null)
    if (answer === null) return
    if ('refused' in answer) return refuse(answer.refused)
    show(answer.value)
    const units = inCart(answer.value, sku)
    const text = units === 0 ? `Removed: ${nameOf(store, sku)}.` : `In your cart: ${count(units)} × ${nameOf(store, sku)}. ${keptUntil(answer.value)}`
    store.set({ notice: { kind: 'good', text } })
  }))

  const keptUntil = ({ expiresAt }: Cart) => store.get().sale?.holdAt === 'cart' ? `Held for you until ${timeOfDay(expiresAt)}.` : 'It is held for you once you check out.'

  /** What another tab has done since, or what was cut off by a reload. */
  async function catchUp(): Promise<void> {
    const { cartId, pending } = remembered(saleId)
    if (pending !== undefined) {
      const answer = await make(pending.items, pending.key)
      if ('value' in answer) show(answer.value)
      else if (store.get().notice === null) tell(store, answer.refused)
    } else if (cartId !== store.get().cart?.cartId) {
      await look(cartId ?? store.get().cart?.cartId)
    }
  }

  return {
    add: (sku) => change(sku, (now) => now + 1, true),
    setQuantity: (sku, quantity) => change(sku, () => quantity, false),
    resume: () => oneTabAtATime(saleId, async () => {
      const { pending, cartId } = remembered(saleId)
      if (pending !== undefined) await catchUp()
      else await look(cartId ?? store.get().cart?.cartId)
    }),
  }
}

/** Whether a cart is no more: any other refusal says nothing about it, and its id is all that its customer has of it. */
export const isGone = ({ code }: Refused): boolean => code === 'cart_expired' || code === 'cart_not_found'

export const cartPath = (cartId: string): string => `/v1/carts/${encodeURIComponent(cartId)}`
