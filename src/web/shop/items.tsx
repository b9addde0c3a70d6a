/** The items of the sale, with what they cost and how many are left. */
import type { SaleItem } from '../../contract.js'
import { count, money, timeOfDay } from '../format.js'
import type { PartProps } from './parts.js'
import { inCart, ownUnits, type State, type WholeSale } from './state.js'
import { Tile } from './tile.js'

export function Items({ state, actions, sale }: PartProps & { readonly sale: WholeSale }) {
  return (
    <section class="items" aria-labelledby="items-heading">
      <h2 id="items-heading" class="unseen">Items</h2>
      <ul class="item-grid">
        {sale.items.map((item, place) => <Item key={item.sku} item={item} place={place} state={state} sale={sale} add={() => actions.add(item.sku)} />)}
      </ul>
    </section>
  )
}

interface ItemProps {
  readonly item: SaleItem
  readonly state: State
  readonly place: number
  readonly sale: WholeSale
  readonly add: () => void
}

function Item({ item, place, state, sale, add }: ItemProps) {
  const { sku, name, description, price, listPrice, maxPerCart } = item
  const mine = inCart(state.cart, sku)
  const busy = state.busy.has(`item:${sku}`)
  const can = canAdd(item, sale, mine)
  const id = `item-${sku}`
  return (
    <li class={`item${item.stock.available === 0 ? ' item-gone' : ''}`}>
      <div class="item-picture">
        <Tile place={place} />
        {listPrice && <span class="off">−{Math.round(100 * (1 - price.amount / listPrice.amount))}%</span>}
      </div>
      <div class="item-words">
        <h3 id={id}>{name}</h3>
        {description !== '' && <p class="item-description">{description}</p>}
        <p class="prices">
          <span class="unseen">Sale price </span><strong>{money(price)}</strong>
          {listPrice && <> <s><span class="unseen">Regular price </span>{money(listPrice)}</s></>}
        </p>
        <Stock item={item} others={Math.max(0, item.stock.inCarts - ownUnits(state, sku))} own={ownUnits(state, sku)} />
        {/* Not `disabled`: whoever has the focus here would lose it while an answer is on its way. */}
        <button type="button" class="button button-main" id={`add-${sku}`} aria-labelledby={`add-${sku} ${id}`} aria-disabled={busy || !can.yes} onClick={() => { if (!busy && can.yes) add() }}>
          {busy ? 'One moment…' : can.label}
        </button>
        {(mine > 0 || maxPerCart !== null) && (
          <p class="item-note">
            {mine > 0 && <span class="mine">{count(mine)} in your cart</span>}
            {maxPerCart !== null && <span>Limit: {count(maxPerCart)}<span class="unseen"> per customer</span></span>}
          </p>
        )}
      </div>
    </li>
  )
}

function canAdd({ stock, maxPerCart, mayReturnAt }: SaleItem, { status }: WholeSale, mine: number): { yes: boolean; label: string } {
  if (status === 'scheduled') return { yes: false, label: 'Not yet' }
  if (status === 'ended') return { yes: false, label: 'Sale ended' }
  if (status === 'paused') return { yes: false, label: 'Paused' }
  if (maxPerCart !== null && mine >= maxPerCart) return { yes: false, label: mine === 1 ? 'In your cart' : 'All in your cart' }
  if (stock.available === 0) return { yes: false, label: mine > 0 ? 'In your cart' : mayReturnAt === null ? 'Sold out' : 'All in carts' }
  return { yes: true, label: mine > 0 ? 'Add another' : 'Add to cart' }
}

/** @param props.others units in other customers' carts @param props.own units in this one's cart and unpaid order */
function Stock({ item: { stock, lowStock, mayReturnAt }, others, own }: { readonly item: SaleItem; readonly others: number; readonly own: number }) {
  const { available, quantity } = stock
  const share = quantity === 0 ? 0 : Math.round(100 * Math.min(1, available / quantity))
  return (
    <div class={`stock${lowStock && available > 0 ? ' stock-low' : ''}`}>
      <svg class="stock-bar" aria-hidden="true" focusable="false"><rect class="stock-held" width={quantity === 0 ? '0' : '100%'} /><rect class="stock-free" width={`${share}%`} /></svg>
      <p>{lowStock && available > 0 && <strong class="low">Almost gone · </strong>}<span>{stockWords(available, others, own, mayReturnAt)}</span></p>
    </div>
  )
}

function stockWords(available: number, others: number, own: number, mayReturnAt: string | null): string {
  if (available > 0) return others > 0 ? `${count(available)} left, ${count(others)} in other customers’ carts` : `${count(available)} left`
  if (mayReturnAt === null) return 'Sold out'
  if (others === 0 && own > 0) return own === 1 ? 'You have the last one' : `You have the last ${count(own)}`
  return `All in carts, may come back at ${timeOfDay(mayReturnAt)}`
}
