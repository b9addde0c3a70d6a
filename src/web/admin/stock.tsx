/** Where the units of each item are: available, in carts, in unpaid orders, sold. */
import { useState } from 'preact/hooks'
import type { Sale, SaleFigures } from '../../contract.js'
import { count } from './words.js'

/** Items that are shown at a time. */
const shownBound = 100
/** From how many items on one looks for them by their name. */
const searchFrom = 13

type Counters = SaleFigures['items'][number]

interface Props {
  readonly sale: Sale
  readonly figures: SaleFigures | null
  readonly names: ReadonlyMap<string, string>
  readonly onRestock: (sku: string) => void
}

export function Stock({ sale, figures, names, onRestock }: Props) {
  const [wanted, setWanted] = useState('')
  const items = figures?.items ?? []
  const nameOf = (sku: string): string => names.get(sku) ?? sku
  const found = items.filter(({ sku }) => `${sku} ${nameOf(sku)}`.toLowerCase().includes(wanted.trim().toLowerCase()))
  const isHeld = sale.holdAt === 'cart'
  return (
    <section class="stock card" aria-labelledby="stock-title">
      <header>
        <h2 id="stock-title">Units</h2>
        <ul class="legend" aria-hidden="true">
          <li class="available">available</li>
          {isHeld && <li class="in-carts">in carts</li>}
          <li class="in-orders">in unpaid orders</li>
          <li class="sold">sold</li>
        </ul>
        {items.length >= searchFrom && (
          <label class="search">Find <input type="search" value={wanted} onInput={({ currentTarget }) => setWanted(currentTarget.value)} /></label>
        )}
      </header>
      {figures === null && <p class="muted">The figures are being read.</p>}
      <ul class="items">
        {found.slice(0, shownBound).map((item) => <Item key={item.sku} item={item} name={nameOf(item.sku)} isHeld={isHeld} onRestock={onRestock} />)}
      </ul>
      {found.length > shownBound && <p class="muted">{shownBound} of {count(found.length)} items are shown: find others by their name or sku.</p>}
      {figures !== null && found.length === 0 && <p class="muted">No item is called so.</p>}
    </section>
  )
}

function Item({ item, name, isHeld, onRestock }: { readonly item: Counters; readonly name: string; readonly isHeld: boolean; readonly onRestock: (sku: string) => void }) {
  const { sku, allocation, available, inCarts, inOrders, sold } = item
  const parts = [
    { kind: 'sold', number: sold, words: 'Sold' },
    { kind: 'in-orders', number: inOrders, words: 'In orders' },
    ...(isHeld ? [{ kind: 'in-carts', number: inCarts, words: 'In carts' }] : []),
    { kind: 'available', number: available, words: 'Available' },
  ]
  const numbers = isHeld ? parts : [...parts, { kind: 'wanted', number: inCarts, words: 'Wanted in carts' }]
  return (
    <li>
      <h3>{name} <span class="sku">{sku}</span></h3>
      <div class="bar" aria-hidden="true">
        {parts.map(({ kind, number }) => <i key={kind} class={kind} style={{ flexGrow: Math.max(0, number) }} />)}
      </div>
      <dl>
        {numbers.map(({ kind, number, words }) => <div key={kind} class={kind}><dt>{words}</dt><dd>{count(number)}</dd></div>)}
        <div><dt>Of</dt><dd>{count(allocation)}</dd></div>
      </dl>
      <button class="quiet" aria-label={`Restock ${name}`} onClick={() => onRestock(sku)}>Restock</button>
    </li>
  )
}
