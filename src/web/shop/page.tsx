/** The page: which view it shows, and what stands above all of them. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Order } from '../../contract.js'
import { count, money } from '../format.js'
import { Basket } from './basket.js'
import { Checkout } from './checkout.js'
import { ShortCountdown } from './countdown.js'
import { Items } from './items.js'
import { Masthead } from './masthead.js'
import { Purchase } from './purchase.js'
import type { Shop } from './shop.js'
import { isUnpaid, type State, type Store } from './state.js'

type View = 'sale' | 'checkout' | 'order'

const viewOf = (hash: string): View => (hash === '#checkout' ? 'checkout' : hash === '#order' ? 'order' : 'sale')
const titles: Readonly<Record<Exclude<View, 'sale'>, string>> = { checkout: 'Checkout', order: 'Your order' }

/** Views are addresses, so that the back button goes from one to the other. @returns the view, and what replaces it */
function useView(): [View, (view: View) => void] {
  const [view, setView] = useState(() => viewOf(location.hash))
  useEffect(() => {
    const listen = () => setView(viewOf(location.hash))
    addEventListener('hashchange', listen)
    return () => removeEventListener('hashchange', listen)
  }, [])
  return [view, (next) => location.replace(`#${next}`)]
}

export function Page({ shop: { store, actions: current } }: { readonly shop: Shop }) {
  const [state, setState] = useState(store.get)
  useEffect(() => store.watch(() => setState(store.get())), [store])
  const [view, replaceView] = useView()
  useFocus(view, state)
  // What went well was said where it happened.
  useEffect(() => {
    if (store.get().notice?.kind === 'good') store.set({ notice: null })
  }, [view, store])
  const actions = current()
  const { sale } = state

  if (sale === null || actions === null) return <Waiting state={state} />
  const parts = { state, store, actions, sale }
  return (
    <>
      <Masthead sale={sale} compact={view !== 'sale'} />
      <Lines state={state} store={store} />
      <main class="main">
        {view === 'sale' && state.order !== null && <Unfinished order={state.order} />}
        {view === 'sale' && <div class="sale-columns"><Items {...parts} /><Basket {...parts} /></div>}
        {view === 'checkout' && <Checkout {...parts} onOrdered={() => replaceView('order')} />}
        {view === 'order' && <Purchase {...parts} />}
      </main>
      {view === 'sale' && <CartBar state={state} />}
    </>
  )
}

/** What a view is called is read first where it is new, and the page's title says it too. */
function useFocus(view: View, { sale, order }: State): void {
  const shown = useRef<string | null>(null)
  const standing = view === 'order' ? `order ${order?.status ?? ''}` : view
  const ready = sale !== null
  useEffect(() => {
    document.title = [view === 'sale' ? null : titles[view], sale?.name, 'flash sale'].filter(Boolean).join(' · ')
  }, [view, sale?.name])
  useEffect(() => {
    if (!ready) return
    const before = shown.current
    shown.current = standing
    if (before === null || before === standing) return
    if (location.hash === '#cart') document.getElementById('cart-heading')?.focus()
    else {
      const heading = document.querySelector<HTMLElement>('.view-heading') ?? document.querySelector<HTMLElement>('.sale-name')
      heading?.focus({ preventScroll: true })
      scrollTo(0, 0)
    }
  }, [ready, standing])
}

function Waiting({ state: { found, trouble } }: { readonly state: State }) {
  return (
    <main class="main waiting">
      <h1 tabIndex={-1}>Flash sale</h1>
      <p role="status">{found === 'none'
        ? 'There is no sale right now. This page shows the next one as soon as it is announced.'
        : trouble === null ? 'Looking for the sale…' : troubleWords[trouble]}</p>
    </main>
  )
}

const troubleWords = {
  offline: 'You are offline. Everything is kept, and goes on by itself once you are back.',
  unreachable: 'The shop cannot be reached right now. We keep trying; you need not do anything.',
  busy: 'The shop is very busy. We keep trying for you; you need not do anything.',
} as const

/** What went well or wrong, and what has to wait: said once, politely. */
function Lines({ state: { notice, trouble, live }, store }: { readonly state: State; readonly store: Store }) {
  // What was on its way when the connection went may still arrive: that is no sign of being back.
  const waits = trouble ?? (navigator.onLine ? null : 'offline')
  const calm = waits !== null ? troubleWords[waits] : live ? null : 'The live numbers are interrupted. They come back by themselves.'
  return (
    <div class="notices">
      <div role="status">{calm !== null && <p class="notice notice-calm">{calm}</p>}</div>
      <div role="status">
        {notice !== null && (
          <div class={`notice notice-${notice.kind}`}>
            <p>{notice.text}</p>
            <button type="button" class="button-plain" aria-label="Dismiss this message" onClick={() => store.set({ notice: null })}>✕</button>
            {notice.action && <button type="button" class="button button-small" onClick={notice.action.run}>{notice.action.label}</button>}
          </div>
        )}
      </div>
    </div>
  )
}

/** The way back to an order, from the sale. */
function Unfinished({ order }: { readonly order: Order }) {
  if (isUnpaid(order)) {
    return (
      <p class="unfinished">
        <span>{order.status === 'awaiting_payment' ? 'Your order waits for its payment' : 'The payment of your order is under way'}{order.payBy !== null && order.status === 'awaiting_payment' && <>, held for <ShortCountdown until={order.payBy} /></>}.</span>
        {' '}<a class="button button-small" href="#order">{order.status === 'awaiting_payment' ? 'Pay now' : 'See your order'}</a>
      </p>
    )
  }
  return order.status === 'paid' ? <p class="unfinished"><span>You bought {count(order.items.length)} {order.items.length === 1 ? 'item' : 'items'} here.</span> <a class="button button-small" href="#order">See your order</a></p> : null
}

/** On a small screen the cart is far below: a bar leads to it. */
function CartBar({ state: { cart } }: { readonly state: State }) {
  if (cart === null || cart.items.length === 0) return null
  const units = cart.items.reduce((sum, { quantity }) => sum + quantity, 0)
  return (
    <nav class="cart-bar" aria-label="Cart">
      <a class="button button-main" href="#cart">
        <span>Cart · {count(units)}</span> <span>{money(cart.total)}</span> <ShortCountdown until={cart.expiresAt} />
      </a>
    </nav>
  )
}
