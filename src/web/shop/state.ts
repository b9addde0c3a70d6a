/** What the shop window shows, in one place; whoever shows it is told when it changes. */
import type { Cart, Order, Sale, SaleItem } from '../../contract.js'
import type { Trouble } from '../api.js'

export interface Notice {
  readonly kind: 'good' | 'bad'
  readonly text: string
  /** What the customer can do about it with one click. */
  readonly action?: { readonly label: string; readonly run: () => void }
}

/** A sale with its items. */
export type WholeSale = Sale & { readonly items: SaleItem[] }

export interface State {
  /** `looking` until the shop has said whether there is a sale. */
  readonly found: 'looking' | 'none' | 'sale'
  readonly sale: WholeSale | null
  /** Whether the numbers come as they change. */
  readonly live: boolean
  readonly cart: Cart | null
  readonly order: Order | null
  readonly notice: Notice | null
  /** What is under way, by name: a button of that name does nothing until it is answered. */
  readonly busy: ReadonlySet<string>
  readonly trouble: Trouble | null
  /** By field, what the shop has against the customer's details. */
  readonly fieldErrors: Readonly<Record<string, string>>
}

export interface Store {
  get(): State
  set(change: Partial<State>): void
  /** @returns what ends it */
  watch(listener: () => void): () => void
  /** Does something under a name, unless it is being done already. */
  busyWith(name: string, work: () => Promise<void>): Promise<void>
}

export function createStore(): Store {
  let state: State = {
    found: 'looking', sale: null, live: true, cart: null, order: null, notice: null, busy: new Set(), trouble: null, fieldErrors: {},
  }
  const listeners = new Set<() => void>()
  const set = (change: Partial<State>) => {
    state = { ...state, ...change }
    for (const listener of listeners) listener()
  }
  return {
    get: () => state,
    set,
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async busyWith(name, work) {
      if (state.busy.has(name)) return
      set({ busy: new Set(state.busy).add(name) })
      try {
        await work()
      } finally {
        const busy = new Set(state.busy)
        busy.delete(name)
        set({ busy })
      }
    },
  }
}

/** @returns the units of an item that this customer has in a cart or in an unpaid order */
export function ownUnits({ cart, order }: State, sku: string): number {
  return inCart(cart, sku) + (order !== null && isUnpaid(order) ? unitsIn(order.items, sku) : 0)
}

export const inCart = (cart: Cart | null, sku: string): number => (cart?.status === 'open' ? unitsIn(cart.items, sku) : 0)

export const isUnpaid = ({ status }: Order): boolean => status === 'awaiting_payment' || status === 'payment_pending'

function unitsIn(lines: Cart['items'], sku: string): number {
  return lines.find((line) => line.sku === sku)?.quantity ?? 0
}
