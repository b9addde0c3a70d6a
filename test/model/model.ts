/**
 * What a sale should say and count, written from the contract alone: plain values, no Redis, no script. It predicts every answer
 * and every counter. Times are Unix milliseconds; ids are the ones that were answered.
 */
import type { Cart, Order, SaleItem } from '../../src/contract.js'
import type { ProviderPayment } from '../../src/outbox.js'
import type { Refusal, ShortLine } from '../../src/problems.js'

const hourMs = 3_600_000
const currency = 'USD'

export interface ModelItem {
  allocation: number
  sold: number
  readonly price: number
  readonly limit: number | null
}

interface ModelCart {
  lines: Map<string, number>
  deadline: number
  firstUnitAt: number | null
  /** Its units have gone back. */
  lapsed: boolean
}

export type State = Order['status']

interface ModelOrder {
  readonly lines: ReadonlyMap<string, number>
  readonly createdAt: number
  readonly payBy: number
  state: State
  deadline: number
  payment: { id: string; status: 'pending' | 'succeeded' | 'declined'; paidAt: number | null } | null
  endedAt: number
  endedAs: 'expired' | 'cancelled' | null
  persisted: boolean
  /** When it may be forgotten; null: never. */
  keptUntil: number | null
}

export interface Model {
  now: number
  readonly saleId: string
  readonly startsAt: number
  endsAt: number | null
  paused: boolean
  readonly holdAt: 'cart' | 'checkout'
  readonly holdMs: number
  readonly maxHoldMs: number
  readonly paymentMs: number
  readonly pendingMs: number
  readonly lowStockAt: number
  readonly items: Map<string, ModelItem>
  readonly carts: Map<string, ModelCart>
  readonly orders: Map<string, ModelOrder>
  readonly keys: Map<string, { lines: string; cart: string; keptUntil: number }>
  /** Payments that succeeded: until when that is remembered. */
  readonly payments: Map<string, number>
  /** Payments from a provider's own page: the order that each was first told of. */
  readonly claims: Map<string, string>
  /** Adjustments: whether they were made. */
  readonly adjustments: Map<string, boolean>
  /** Money on its way back, and money that is back, by payment. */
  readonly refunds: Map<string, { amount: number; order: string | null }>
  readonly refunded: Map<string, number>
  /** Paid orders that Postgres does not have yet. */
  readonly unpersisted: Set<string>
}

export type Result<T> = T | Refusal
const refuse = (refused: Exclude<Refusal['refused'], 'insufficient_stock' | 'limit_exceeded' | 'sale_not_open' | 'invalid_request' | 'overloaded' | 'unavailable'>): Refusal => ({ refused })

const money = (amount: number) => ({ amount, currency })
const timeOf = (ms: number) => new Date(ms).toISOString()
const isLive = ({ state }: ModelOrder) => state === 'awaiting_payment' || state === 'payment_pending'
const units = (lines: ReadonlyMap<string, number>, sku: string) => lines.get(sku) ?? 0
export const orderOf = (cart: string) => cart.replace(/^c\./, 'o.')
export const cartOf = (order: string) => order.replace(/^o\./, 'c.')

// --- What holds something, and until when ---------------------------------------------------------------

const liveCarts = (model: Model) => [...model.carts.values()].filter(({ lapsed, lines }) => !lapsed && lines.size > 0)
const liveOrders = (model: Model) => [...model.orders.values()].filter(isLive)

function carried(model: Model, sku: string): { inCarts: number; inOrders: number } {
  const sum = (all: readonly { lines: ReadonlyMap<string, number> }[]) => all.reduce((total, { lines }) => total + units(lines, sku), 0)
  return { inCarts: sum(liveCarts(model)), inOrders: sum(liveOrders(model)) }
}

/** @returns an item's counters as an answer tells them */
export function stockOf(model: Model, sku: string): { quantity: number; available: number; inCarts: number; held: number } {
  const { allocation, sold } = model.items.get(sku)!
  const { inCarts, inOrders } = carried(model, sku)
  const held = model.holdAt === 'cart' ? inCarts + inOrders : inOrders
  return { quantity: allocation - sold, available: allocation - sold - held, inCarts: inCarts + inOrders, held }
}

/** The earliest time at which anything of the sale can lapse, told where an item has nothing left that is not held. */
function mayReturnAt(model: Model, sku: string): string | null {
  const { available, held } = stockOf(model, sku)
  if (available > 0 || held === 0) return null
  const times = [
    ...liveCarts(model).map(({ deadline }) => deadline),
    // A pending payment that is declined lapses when it was due, or at once where that is over.
    ...liveOrders(model).map(({ state, payBy, deadline }) => (state === 'payment_pending' && payBy > model.now ? Math.min(payBy, deadline) : deadline)),
  ]
  return timeOf(Math.min(...times))
}

/** Everything whose time is over gives its units back, however long nobody has asked. */
export function lapse(model: Model): void {
  for (const cart of model.carts.values()) if (cart.deadline <= model.now) cart.lapsed = true
  for (const order of model.orders.values()) if (isLive(order) && order.deadline <= model.now) endOrder(order, 'expired', order.deadline)
}

function endOrder(order: ModelOrder, as: 'expired' | 'cancelled', at: number): void {
  Object.assign(order, { state: as, endedAs: as, endedAt: at, keptUntil: at + 72 * hourMs })
}

/** @returns nil where the sale gives units out, else why not */
function closedTo(model: Model): Refusal | null {
  if (model.endsAt !== null && model.now >= model.endsAt) return refuse('sale_ended')
  if (model.now >= model.startsAt && !model.paused) return null
  const waitMs = model.startsAt - model.now
  return { refused: 'sale_not_open', startsAt: timeOf(model.startsAt), retryAfterSeconds: waitMs > 0 ? Math.ceil(waitMs / 1_000) : 5 }
}

// --- Answers ---------------------------------------------------------------------------------------------

function line(model: Model, sku: string, quantity: number, own: number): Cart['items'][number] {
  const { price } = model.items.get(sku)!
  const stock = stockOf(model, sku)
  return {
    sku, name: `Item ${sku}`, quantity, unitPrice: money(price), lineTotal: money(price * quantity),
    stock: { quantity: stock.quantity, available: stock.available, inOtherCarts: stock.inCarts - own },
    lowStock: stock.available <= model.lowStockAt,
    mayReturnAt: mayReturnAt(model, sku),
  }
}

const total = (model: Model, lines: ReadonlyMap<string, number>) => [...lines].reduce((sum, [sku, quantity]) => sum + model.items.get(sku)!.price * quantity, 0)

/** @returns why a cart cannot be used, or null where it is open */
function closedCart(model: Model, id: string): Refusal | null {
  const cart = model.carts.get(id)
  const order = model.orders.get(orderOf(id))
  if (!cart && order && isLive(order)) return refuse('cart_checked_out')
  const overSince = cart ? (cart.deadline <= model.now ? cart.deadline : null) : order && order.state !== 'paid' ? order.endedAt : undefined
  if (overSince === null) return null
  return overSince !== undefined && model.now < overSince + hourMs ? refuse('cart_expired') : refuse('cart_not_found')
}

export function readCart(model: Model, id: string): Result<Cart> {
  const refusal = closedCart(model, id)
  const order = model.orders.get(orderOf(id))
  if (refusal && refusal.refused !== 'cart_checked_out') return refusal
  const open = refusal === null
  const { lines, deadline } = open ? model.carts.get(id)! : order!
  return {
    cartId: id, saleId: model.saleId, status: open ? 'open' : 'checked_out', expiresAt: timeOf(deadline),
    items: [...lines].map(([sku, quantity]) => line(model, sku, quantity, quantity)),
    total: money(total(model, lines)), orderId: open ? null : orderOf(id),
  }
}

export function readOrder(model: Model, id: string): Result<Omit<Order, 'customer'>> {
  const order = model.orders.get(id)
  if (!order) return refuse('order_not_found')
  const own = isLive(order)
  return {
    orderId: id, saleId: model.saleId, cartId: cartOf(id), status: order.state, payBy: own ? timeOf(order.payBy) : null,
    items: [...order.lines].map(([sku, quantity]) => line(model, sku, quantity, own ? quantity : 0)),
    total: money(total(model, order.lines)),
    payment: order.payment && { paymentId: order.payment.id, status: order.payment.status, paidAt: order.payment.paidAt === null ? null : timeOf(order.payment.paidAt) },
    persisted: order.persisted, createdAt: timeOf(order.createdAt),
  }
}

export function readItem(model: Model, sku: string): Pick<SaleItem, 'stock' | 'lowStock' | 'mayReturnAt'> {
  const { quantity, available, inCarts } = stockOf(model, sku)
  return { stock: { quantity, available, inCarts }, lowStock: available <= model.lowStockAt, mayReturnAt: mayReturnAt(model, sku) }
}

// --- Carts -----------------------------------------------------------------------------------------------

function short(model: Model, sku: string, requested: number, own: number): ShortLine {
  const { quantity, available, inCarts } = stockOf(model, sku)
  return { sku, requested, stock: { quantity, available, inOtherCarts: inCarts - own }, soldOut: available === 0 && quantity === 0, mayReturnAt: mayReturnAt(model, sku) }
}

/** @param id the id that the cart was answered with, if it was made */
export function createCart(model: Model, asked: readonly { sku: string; quantity: number }[], key: string | null, id: string | null): Result<Cart> {
  const lines = new Map<string, number>()
  for (const { sku, quantity } of asked) lines.set(sku, units(lines, sku) + quantity)
  if ([...lines.keys()].some((sku) => !model.items.has(sku))) return refuse('item_not_found')
  const print = JSON.stringify([...lines].toSorted())
  const known = key === null ? undefined : model.keys.get(key)
  const record = known && known.keptUntil > model.now ? known : undefined
  if (record && record.lines === print) return readCart(model, record.cart)
  const refusal = lines.size > 0 ? closedTo(model) : null
  if (refusal) return refusal
  if (record) return refuse('idempotency_key_reused')
  const over = [...lines].flatMap(([sku, requested]) => {
    const { limit } = model.items.get(sku)!
    return limit !== null && requested > limit ? [{ sku, requested, maxPerCart: limit }] : []
  })
  if (over.length > 0) return { refused: 'limit_exceeded', items: over }
  const lacking = [...lines].filter(([sku, requested]) => stockOf(model, sku).available < requested)
  if (lacking.length > 0) return { refused: 'insufficient_stock', items: lacking.map(([sku, requested]) => short(model, sku, requested, 0)) }
  if (id === null) throw new Error('the model makes a cart, and none was answered')
  model.carts.set(id, { lines, deadline: model.now + model.holdMs, firstUnitAt: lines.size > 0 ? model.now : null, lapsed: false })
  if (key !== null) model.keys.set(key, { lines: print, cart: id, keptUntil: model.now + 24 * hourMs })
  return readCart(model, id)
}

export function setLine(model: Model, id: string, sku: string, quantity: number): Result<Cart> {
  const refusal = closedCart(model, id)
  if (refusal?.refused === 'cart_not_found') return refusal
  if (!model.items.has(sku)) return refuse('item_not_found')
  if (refusal) return refusal
  const cart = model.carts.get(id)!
  const own = units(cart.lines, sku)
  if (quantity > own) {
    const closed = closedTo(model)
    if (closed) return closed
    const { limit } = model.items.get(sku)!
    if (limit !== null && quantity > limit) return { refused: 'limit_exceeded', items: [{ sku, requested: quantity, maxPerCart: limit }] }
    if (stockOf(model, sku).available < (model.holdAt === 'cart' ? quantity - own : quantity)) return { refused: 'insufficient_stock', items: [short(model, sku, quantity, own)] }
    cart.firstUnitAt ??= model.now
    cart.deadline = Math.min(model.now + model.holdMs, cart.firstUnitAt + model.maxHoldMs)
  }
  if (quantity === 0) cart.lines.delete(sku)
  else cart.lines.set(sku, quantity)
  return readCart(model, id)
}

export function removeCart(model: Model, id: string): Result<null> {
  const refusal = closedCart(model, id)
  if (refusal) return refusal
  model.carts.delete(id)
  return null
}

// --- Orders ----------------------------------------------------------------------------------------------

export function checkout(model: Model, id: string): Result<{ order: Omit<Order, 'customer'>; repeated: boolean }> {
  const existing = model.orders.has(orderOf(id))
  if (!existing) {
    const refusal = closedCart(model, id)
    if (refusal) return refusal
    const { lines } = model.carts.get(id)!
    if (lines.size === 0) return refuse('cart_empty')
    if (model.holdAt === 'checkout') {
      const closed = closedTo(model)
      if (closed) return closed
      const lacking = [...lines].filter(([sku, quantity]) => stockOf(model, sku).available < quantity)
      if (lacking.length > 0) return { refused: 'insufficient_stock', items: lacking.map(([sku, quantity]) => short(model, sku, quantity, quantity)) }
    }
    model.carts.delete(id)
    const payBy = model.now + model.paymentMs
    model.orders.set(orderOf(id), {
      lines, createdAt: model.now, payBy, deadline: payBy, state: 'awaiting_payment', payment: null, endedAt: 0, endedAs: null, persisted: false, keptUntil: null,
    })
  }
  return { order: readOrder(model, orderOf(id)) as Omit<Order, 'customer'>, repeated: existing }
}

export function cancelOrder(model: Model, id: string): Result<null> {
  const order = model.orders.get(id)
  if (!order) return refuse('order_not_found')
  switch (order.state) {
    case 'payment_pending':
      return refuse('payment_in_progress')
    case 'paid':
      return refuse('order_already_paid')
    case 'awaiting_payment':
      endOrder(order, 'cancelled', model.now)
      return null
    default:
      return order.endedAs === 'cancelled' ? null : refuse('order_expired')
  }
}

type Begun = { begun: true; attempt: ProviderPayment } | { begun: false; order: Omit<Order, 'customer'> }

/** @param paymentId the id that the attempt was given, if it was begun */
export function beginPayment(model: Model, id: string, paymentId: string | null): Result<Begun> {
  const order = model.orders.get(id)
  if (!order) return refuse('order_not_found')
  if (order.state === 'paid') return { begun: false, order: readOrder(model, id) as Omit<Order, 'customer'> }
  if (order.state === 'payment_pending') return refuse('payment_in_progress')
  if (order.state !== 'awaiting_payment') return refuse(order.endedAs === 'cancelled' ? 'order_cancelled' : 'order_expired')
  if (paymentId === null) throw new Error('the model begins a payment, and none was answered')
  order.state = 'payment_pending'
  order.payment = { id: paymentId, status: 'pending', paidAt: null }
  order.deadline = model.now + model.pendingMs
  return { begun: true, attempt: { paymentId, orderId: id, ...money(total(model, order.lines)) } }
}

export type Outcome = 'succeeded' | 'declined' | 'never_taken' | 'pending'

/** What the provider says of a payment, whoever began it. @returns the order as it is then, or null where nobody knows it */
export function settle(model: Model, id: string, paymentId: string, outcome: Outcome, amount: number): Omit<Order, 'customer'> | null {
  if (outcome === 'succeeded' && !paymentId.startsWith('p.')) {
    if (!model.claims.has(paymentId)) model.claims.set(paymentId, id)
    // One payment counts for one order.
    if (model.claims.get(paymentId) !== id) return null
  }
  const order = model.orders.get(id)
  if (outcome === 'succeeded') succeeded(model, id, order, paymentId, amount)
  else if (order && outcome !== 'pending') failed(model, order, paymentId, outcome)
  return order ? (readOrder(model, id) as Omit<Order, 'customer'>) : null
}

function succeeded(model: Model, id: string, order: ModelOrder | undefined, paymentId: string, amount: number): void {
  if (model.payments.has(paymentId)) return
  if (order?.payment?.id === paymentId && order.payment.status === 'succeeded') return
  model.payments.set(paymentId, model.now + 72 * hourMs)
  if (!order || ['paid', 'refund_due', 'refunded'].includes(order.state)) {
    model.refunds.set(paymentId, { amount, order: null })
    return
  }
  const fits = order.state !== 'cancelled' && amount === total(model, order.lines)
    && (isLive(order) || [...order.lines].every(([sku, quantity]) => stockOf(model, sku).available >= quantity))
  order.payment = { id: paymentId, status: 'succeeded', paidAt: null }
  if (fits) {
    for (const [sku, quantity] of order.lines) model.items.get(sku)!.sold += quantity
    Object.assign(order, { state: 'paid', endedAt: 0, endedAs: null, keptUntil: null })
    order.payment.paidAt = model.now
    model.unpersisted.add(id)
  } else {
    if (isLive(order)) endOrder(order, 'expired', model.now)
    Object.assign(order, { state: 'refund_due', keptUntil: null })
    model.refunds.set(paymentId, { amount, order: id })
  }
}

function failed(model: Model, order: ModelOrder, paymentId: string, outcome: 'declined' | 'never_taken'): void {
  if (order.payment?.id === paymentId && order.payment.status === 'pending') {
    if (outcome === 'never_taken') order.payment = null
    else order.payment.status = 'declined'
    if (order.state !== 'payment_pending') return
    order.state = 'awaiting_payment'
    order.deadline = order.payBy
    if (order.payBy <= model.now) endOrder(order, 'expired', model.now)
  } else if (order.state === 'awaiting_payment' && order.payment === null && outcome === 'declined') {
    order.payment = { id: paymentId, status: 'declined', paidAt: null }
  }
}

// --- Operators and workers -------------------------------------------------------------------------------

export function adjust(model: Model, sku: string, delta: number, id: string): Result<null> {
  const earlier = model.adjustments.get(id)
  if (earlier !== undefined) return earlier ? null : refuse('below_committed')
  if (!model.items.has(sku)) return refuse('item_not_found')
  const made = stockOf(model, sku).available + delta >= 0
  model.adjustments.set(id, made)
  if (made) model.items.get(sku)!.allocation += delta
  return made ? null : refuse('below_committed')
}

export function control(model: Model, action: 'pause' | 'resume' | 'end'): Result<{ endsAtMs: number | null }> {
  const ended = model.endsAt !== null && model.now >= model.endsAt
  const open = !ended && model.now >= model.startsAt
  if (action === 'end' ? ended : !(open && model.paused === (action === 'resume'))) return refuse('sale_state')
  if (action === 'end') model.endsAt = model.now
  else model.paused = action === 'pause'
  return { endsAtMs: model.endsAt }
}

/** Everything that waits comes to Postgres, and all money that is due goes back. */
export function persist(model: Model): null {
  const kept = (order: ModelOrder) => Object.assign(order, { persisted: true, keptUntil: model.now + hourMs })
  for (const id of model.unpersisted) kept(model.orders.get(id)!)
  model.unpersisted.clear()
  for (const [paymentId, { amount, order: id }] of model.refunds) {
    if (id !== null) kept(model.orders.get(id)!).state = 'refunded'
    model.refunded.set(paymentId, amount)
  }
  model.refunds.clear()
  return null
}

export function move(model: Model, ms: number): null {
  model.now += ms
  return null
}

/** What has been kept long enough is forgotten. */
export function sweep(model: Model): null {
  for (const [id, cart] of model.carts) if (cart.deadline + hourMs <= model.now) model.carts.delete(id)
  for (const [id, { keptUntil }] of model.orders) if (keptUntil !== null && keptUntil <= model.now) model.orders.delete(id)
  for (const [key, { keptUntil }] of model.keys) if (keptUntil <= model.now) model.keys.delete(key)
  for (const [paymentId, keptUntil] of model.payments) if (keptUntil <= model.now) model.payments.delete(paymentId)
  return null
}
