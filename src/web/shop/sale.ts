/** The sale that is shown, and how its numbers stay true: live events, and a look now and then while they do not come. */
import type { CartLine, Sale, SaleItem, StockEvent } from '../../contract.js'
import { ask, pause, pauseMs, spread } from '../api.js'
import { shopNow } from '../clock.js'
import type { Store, WholeSale } from './state.js'

/** How often the sale is read while no events come, and while there is none, in ms; each pause is half of that or more. */
const unwatchedMs = 6_000
/** How often it is read all the same while they do: a connection may be dead, or a late answer older than the last event. */
const quietMs = 60_000
const firstReopenMs = 1_000
const longestReopenMs = 15_000

const orderOfInterest = ['open', 'paused', 'scheduled', 'ended'] as const

/** @returns the sale to show, once there is one: the one asked for, else the first that is open, paused, to come or over */
export async function findSale(store: Store, asked: string | null): Promise<WholeSale> {
  for (;;) {
    const saleId = asked ?? (await mostInteresting())
    const answer = saleId === null ? null : await ask<Sale>('GET', salePath(saleId))
    if (answer !== null && 'value' in answer) {
      const sale = whole(answer.value)
      store.set({ found: 'sale', sale })
      return sale
    }
    store.set({ found: 'none' })
    await pause(spread(unwatchedMs))
  }
}

async function mostInteresting(): Promise<string | null> {
  const answer = await ask<{ sales: Sale[] }>('GET', '/v1/sales')
  const sales = 'value' in answer ? answer.value.sales : []
  for (const status of orderOfInterest) {
    const those = sales.filter((sale) => sale.status === status).toSorted((a, b) => (a.startsAt < b.startsAt ? -1 : 1))
    const found = status === 'ended' ? those.at(-1) : those[0]
    if (found !== undefined) return found.saleId
  }
  return null
}

export const salePath = (saleId: string): string => `/v1/sales/${encodeURIComponent(saleId)}`
const whole = (sale: Sale): WholeSale => ({ ...sale, items: sale.items ?? [] })

/** Reads the sale; asks once, since it is asked again soon in any case. */
export async function readSale(store: Store, saleId: string): Promise<void> {
  const answer = await ask<Sale>('GET', salePath(saleId), { once: true })
  if ('value' in answer) store.set({ sale: whole(answer.value) })
}

/** Shows what changes about the sale from now on. Nobody is listened to while nobody looks. */
export function followSale(store: Store, saleId: string): void {
  let source: EventSource | null = null
  let reopens = 0
  let nextLook: ReturnType<typeof setTimeout> | undefined

  const look = () => {
    clearTimeout(nextLook)
    if (document.hidden) return
    nextLook = setTimeout(() => void readSale(store, saleId).then(look), spread(source?.readyState === EventSource.OPEN ? quietMs : unwatchedMs))
  }
  const lost = () => {
    // The first time only: attempts that fail must not put off the next look again and again.
    if (store.get().live) {
      store.set({ live: false })
      look()
    }
    // After a cut the browser tries again by itself; after a refusal it does not.
    if (source?.readyState !== EventSource.CLOSED) return
    source = null
    void pause(pauseMs(reopens, firstReopenMs, longestReopenMs)).then(open)
    reopens += 1
  }
  const open = () => {
    if (source !== null || document.hidden) return
    source = new EventSource(`${salePath(saleId)}/events`)
    source.addEventListener('stock', ({ data }: MessageEvent<string>) => {
      reopens = 0
      if (!store.get().live) store.set({ live: true })
      hear(store, JSON.parse(data) as StockEvent)
    })
    // Not with each event, which would put it off for as long as a sale is busy.
    source.addEventListener('open', look)
    source.addEventListener('error', lost)
    if (nextLook === undefined) look()
  }
  const close = () => {
    source?.close()
    source = null
    clearTimeout(nextLook)
    nextLook = undefined
  }
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()))
  addEventListener('pagehide', close)
  addEventListener('pageshow', open)
  addEventListener('offline', () => store.set({ live: false }))
  addEventListener('online', () => {
    // So that nobody is said to be offline any more; the first event says that all is well.
    store.set({ live: false })
    close()
    open()
  })
  open()
}

function hear(store: Store, { status, startsAt, endsAt, items }: StockEvent): void {
  const { sale } = store.get()
  if (sale === null) return
  const news = new Map(items.map((item) => [item.sku, item]))
  store.set({ sale: { ...sale, status, startsAt, endsAt, items: sale.items.map((item) => ({ ...item, ...news.get(item.sku) })) } })
}

/** Shows what an answer about a cart or an order has told of its items: it is newer than the last event. */
export function hearLines(store: Store, lines: readonly Pick<CartLine, 'sku' | 'quantity' | 'stock' | 'mayReturnAt'>[]): void {
  const { sale } = store.get()
  if (sale === null) return
  const known = new Map(lines.map((line) => [line.sku, line]))
  store.set({ sale: { ...sale, items: sale.items.map((item) => withLine(item, known.get(item.sku), sale.lowStockAt)) } })
}

function withLine(item: SaleItem, line: Pick<CartLine, 'quantity' | 'stock' | 'mayReturnAt'> | undefined, lowStockAt: number): SaleItem {
  if (!line?.stock) return item
  const { quantity, available, inOtherCarts } = line.stock
  return { ...item, stock: { quantity, available, inCarts: inOtherCarts + line.quantity }, lowStock: available <= lowStockAt, mayReturnAt: line.mayReturnAt }
}

/** @returns in how many ms the sale begins or ends, null where it does neither */
export function nextTurnMs({ status, startsAt, endsAt }: Sale): number | null {
  const turn = status === 'scheduled' ? startsAt : status === 'ended' ? null : endsAt
  return turn === null ? null : Date.parse(turn) - shopNow()
}
