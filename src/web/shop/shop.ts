/** Puts the shop window's parts together: one sale, one cart, one order. */
import { watchTrouble } from '../api.js'
import { createCartActions, type CartActions } from './cart.js'
import { watchMemory } from './memory.js'
import { createOrderActions, type OrderActions } from './order.js'
import { findSale, followSale, nextTurnMs, readSale } from './sale.js'
import { createStore, type Store } from './state.js'

/** Customers whose clocks agree do not all ask in the same moment: they are spread over this time, in ms. */
const spreadMs = 700
/** Soonest and latest that the end of a countdown is looked at again, in ms. */
const soonestTurnMs = 1_000
const latestTurnMs = 3_600_000

export interface Shop {
  readonly store: Store
  /** Null until there is a sale. */
  actions(): (Pick<CartActions, 'add' | 'setQuantity'> & Pick<OrderActions, 'checkOut' | 'pay' | 'cancel'>) | null
}

export function openShop(): Shop {
  const store = createStore()
  let actions: ReturnType<Shop['actions']> = null
  watchTrouble((trouble) => store.set({ trouble }))
  void begin()

  async function begin(): Promise<void> {
    const { saleId } = await findSale(store, new URLSearchParams(location.search).get('sale'))
    const orders = createOrderActions(store, saleId)
    const carts = createCartActions(store, saleId, orders.adopt)
    actions = { ...carts, ...orders }
    // The buttons work from here on.
    store.set({})
    followSale(store, saleId)
    followTurns(store, saleId)
    // The order first: a cart that is gone may have become it.
    const resume = async () => {
      await orders.resume()
      await carts.resume()
    }
    watchMemory(saleId, () => void resume())
    // A device that has slept, or a page that comes back from the browser's cache.
    addEventListener('pageshow', ({ persisted }) => { if (persisted) void resume() })
    document.addEventListener('visibilitychange', () => { if (!document.hidden) void resume() })
    await resume()
  }
  return { store, actions: () => actions }
}

/** Reads the sale when its countdown is over, whether or not an event says so. */
function followTurns(store: Store, saleId: string): void {
  const { sale } = store.get()
  const turnMs = sale === null ? null : nextTurnMs(sale)
  const inMs = Math.min(latestTurnMs, Math.max(soonestTurnMs, turnMs ?? latestTurnMs))
  setTimeout(() => {
    const { sale: now } = store.get()
    const over = now !== null && (nextTurnMs(now) ?? 1) <= 0
    void (over ? readSale(store, saleId) : Promise.resolve()).then(() => followTurns(store, saleId))
  }, inMs + Math.random() * spreadMs)
}
