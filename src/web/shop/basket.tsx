/** The cart as it is shown: its lines, how long it is held, what it comes to. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Cart, CartLine } from '../../contract.js'
import { count, money } from '../format.js'
import { ShortCountdown, useNow } from './countdown.js'
import type { PartProps } from './parts.js'
import type { WholeSale } from './state.js'

/** When a cart is close to its end, in ms: it is said aloud once each. */
const remindersMs = [120_000, 30_000] as const

export function Basket({ state, actions, sale }: PartProps & { readonly sale: WholeSale }) {
  const heading = useRef<HTMLHeadingElement>(null)
  const { cart } = state
  const lines = cart?.items ?? []
  const set = (sku: string, quantity: number) => {
    // Its buttons go with the line.
    if (quantity === 0) heading.current?.focus()
    actions.setQuantity(sku, quantity)
  }
  return (
    <section class="basket" id="cart" aria-labelledby="cart-heading">
      <div class="basket-head">
        <h2 id="cart-heading" ref={heading} tabIndex={-1}>Your cart</h2>
        {cart && lines.length > 0 && <HeldFor cart={cart} sale={sale} />}
      </div>
      {cart === null || lines.length === 0
        ? <p class="basket-empty">Nothing in it yet. What you add is {sale.holdAt === 'cart' ? 'held for you' : 'counted at once, and held for you when you check out'}.</p>
        : <>
            <ul class="lines">
              {lines.map((line) => <Line key={line.sku} line={line} busy={state.busy.has(`item:${line.sku}`)} more={canGrow(line, sale)} set={set} />)}
            </ul>
            <p class="total"><span>Total</span> <strong>{money(cart.total)}</strong></p>
            <a class="button button-main button-wide" href="#checkout">Check out</a>
          </>}
    </section>
  )
}

function canGrow({ sku, quantity }: CartLine, { status, items }: WholeSale): boolean {
  const item = items.find((one) => one.sku === sku)
  if (status !== 'open' || item === undefined) return false
  return (item.maxPerCart === null || quantity < item.maxPerCart) && item.stock.available > 0
}

interface LineProps {
  readonly line: CartLine
  readonly busy: boolean
  readonly more: boolean
  readonly set: (sku: string, quantity: number) => void
}

function Line({ line: { sku, name, quantity, unitPrice, lineTotal }, busy, more, set }: LineProps) {
  return (
    <li class="line">
      <p class="line-name">{name}<small>{money(unitPrice)} each</small></p>
      <p class="line-total">{money(lineTotal)}</p>
      <div class="line-buttons">
        <div class="stepper" role="group" aria-label={`Quantity of ${name}`}>
          <button type="button" aria-label={`One less of ${name}`} aria-disabled={busy} onClick={() => { if (!busy) set(sku, quantity - 1) }}>−</button>
          <span>{count(quantity)}</span>
          <button type="button" aria-label={`One more of ${name}`} aria-disabled={busy || !more} onClick={() => { if (!busy && more) set(sku, quantity + 1) }}>+</button>
        </div>
        <button type="button" class="button-plain" aria-label={`Remove ${name}`} aria-disabled={busy} onClick={() => { if (!busy) set(sku, 0) }}>Remove</button>
      </div>
    </li>
  )
}

/** How long the cart is kept, louder as its end comes. */
export function HeldFor({ cart, sale }: { readonly cart: Cart; readonly sale: WholeSale }) {
  const leftMs = Date.parse(cart.expiresAt) - useNow()
  const urgency = leftMs <= remindersMs[1] ? ' held-now' : leftMs <= remindersMs[0] ? ' held-soon' : ''
  return (
    <p class={`held${urgency}`}>
      {leftMs > 0 ? <>{sale.holdAt === 'cart' ? 'Held for' : 'Kept for'} <ShortCountdown until={cart.expiresAt} /></> : 'Time is up…'}
      <Reminder cart={cart} />
    </p>
  )
}

/** Says aloud that a cart is close to its end: once at each mark, not every second. */
function Reminder({ cart: { expiresAt } }: { readonly cart: Cart }) {
  const [said, setSaid] = useState('')
  useEffect(() => {
    setSaid('')
  }, [expiresAt])
  const leftMs = Date.parse(expiresAt) - useNow()
  const words = leftMs <= 0 ? '' : leftMs <= remindersMs[1] ? 'Half a minute left for your cart.' : leftMs <= remindersMs[0] ? 'Two minutes left for your cart.' : ''
  useEffect(() => {
    if (words !== '' && words !== said) setSaid(words)
  }, [words, said])
  return <span class="unseen" role="status">{said}</span>
}
