/**
 * From the words of the scripts' replies (described at the head of each file in lua/) to the contract's shapes.
 */
import type { Cart, CartLine, Customer, Order, OrderStatus, Sale, SaleItem } from '../contract.js'
import { formatId } from '../ids.js'
import type { Shard } from '../keys.js'
import type { CountersAfter, FinalOrder, OutboxEntry, RefundReason, SoldEntry } from '../outbox.js'
import type { Refusal, ShortLine } from '../problems.js'
import type { Catalogue, CatalogueEntry } from './catalogue.js'

/** How long a customer of a paused sale is asked to wait before trying again. */
const pausedRetrySeconds = 5

let lastMs = 0
let lastTime = new Date(lastMs).toISOString()

/** @returns RFC 3339 in UTC with three decimals. The carts of one batch end at one time, so the last one is kept. */
export function timeOf(milliseconds: number): string {
  if (milliseconds !== lastMs) {
    lastTime = new Date(milliseconds).toISOString()
    lastMs = milliseconds
  }
  return lastTime
}

/** @returns the time that a word says, or null for '-' and '0', which say none */
function optionalTime(word: string): string | null {
  return word === '-' || word === '0' || word === '' ? null : timeOf(Number(word))
}

/** A script's answer that no version of it gives. */
function unexpected(reply: string): never {
  throw new TypeError(`a script answered out of its form: ${reply.slice(0, 20)}`)
}

/** The refusals that are one word and carry nothing. */
const plain = {
  SALE_ENDED: 'sale_ended',
  SALE_STATE: 'sale_state',
  CART_NOT_FOUND: 'cart_not_found',
  CART_EXPIRED: 'cart_expired',
  CART_CHECKED_OUT: 'cart_checked_out',
  CART_EMPTY: 'cart_empty',
  ITEM_NOT_FOUND: 'item_not_found',
  ORDER_NOT_FOUND: 'order_not_found',
  ORDER_EXPIRED: 'order_expired',
  ORDER_CANCELLED: 'order_cancelled',
  ORDER_ALREADY_PAID: 'order_already_paid',
  PAYMENT_IN_PROGRESS: 'payment_in_progress',
  KEY_REUSED: 'idempotency_key_reused',
  BELOW_COMMITTED: 'below_committed',
  SALE_CLOSED: 'sale_state',
} as const

const invalid = (path: string, message: string): Refusal => ({ refused: 'invalid_request', errors: [{ path, message }] })

let lastRefused = ''
let lastRefusal: Refusal | null = null

/** @returns the refusal that a reply says. Where there is no more, a whole batch hears the same, so the last one is kept. */
export function decodeRefusal(reply: string): Refusal {
  if (lastRefusal === null || reply !== lastRefused) {
    lastRefusal = readRefusal(reply)
    lastRefused = reply
  }
  return lastRefusal
}

function readRefusal(reply: string): Refusal {
  const words = reply.split(' ')
  const word = words[0]!
  if (word === 'INSUFFICIENT') return { refused: 'insufficient_stock', items: shortLines(words) }
  if (word in plain) return { refused: plain[word as keyof typeof plain] }
  switch (word) {
    case 'LIMIT': {
      const items = []
      for (let i = 1; i < words.length; i += 3) {
        items.push({ sku: words[i]!, requested: Number(words[i + 1]), maxPerCart: Number(words[i + 2]) })
      }
      return { refused: 'limit_exceeded', items }
    }
    case 'SALE_NOT_OPEN': {
      const startsAtMs = Number(words[1])
      const waitMs = startsAtMs - Number(words[2])
      const retryAfterSeconds = waitMs > 0 ? Math.ceil(waitMs / 1_000) : pausedRetrySeconds
      return { refused: 'sale_not_open', startsAt: timeOf(startsAtMs), retryAfterSeconds }
    }
    case 'LINES':
      return invalid('/items', 'a cart has at most 100 lines')
    case 'TOTAL':
      return invalid('/items', 'the total of a cart must be below 2^53')
    case 'INVALID':
      return invalid('', 'is not valid')
    case 'TOO_MANY':
      return invalid('/delta', 'an allocation is at most 1000000000')
    default:
      return unexpected(reply)
  }
}

function shortLines(words: readonly string[]): ShortLine[] {
  const lines: ShortLine[] = []
  for (let i = 2; i < words.length; i += 6) {
    const quantity = Number(words[i + 3])
    const available = Number(words[i + 4])
    lines.push({
      sku: words[i]!,
      requested: Number(words[i + 1]),
      stock: { quantity, available, inOtherCarts: Number(words[i + 5]) },
      soldOut: available === 0 && quantity === 0,
      mayReturnAt: returnsAt(words[1]!, quantity, available),
    })
  }
  return lines
}

/** Units that are not available and not sold are held; only those can return. */
function returnsAt(word: string, quantity: number, available: number): string | null {
  return available === 0 && quantity > 0 ? optionalTime(word) : null
}

/** Reads lines of six words from `from` on. @returns the lines; their total is `total(lines)` */
function cartLines(words: readonly string[], from: number, returnWord: string, catalogue: Catalogue, stock: boolean): CartLine[] {
  const { currency, lowStockAt, items } = catalogue
  const lines: CartLine[] = []
  for (let i = from; i + 5 < words.length; i += 6) {
    const sku = words[i]!
    const own = Number(words[i + 1])
    const price = Number(words[i + 2])
    const quantity = Number(words[i + 3])
    const available = Number(words[i + 4])
    lines.push({
      sku,
      name: items.get(sku)?.name ?? sku,
      quantity: own,
      unitPrice: { amount: price, currency },
      lineTotal: { amount: price * own, currency },
      stock: stock ? { quantity, available, inOtherCarts: Number(words[i + 5]) } : null,
      lowStock: stock && available <= lowStockAt,
      mayReturnAt: stock ? returnsAt(returnWord, quantity, available) : null,
    })
  }
  return lines
}

function total(lines: readonly CartLine[]): number {
  let amount = 0
  for (const line of lines) amount += line.lineTotal.amount
  return amount
}

/** @returns the cart that a reply says, or its refusal */
export function decodeCart(reply: string, shard: Shard, epoch: number, catalogue: Catalogue): Cart | Refusal {
  if (!reply.startsWith('OK ')) return decodeRefusal(reply)
  const words = reply.split(' ')
  const local = words[2]!
  const status = words[1] === 'open' ? 'open' : 'checked_out'
  const items = cartLines(words, 5, words[4]!, catalogue, true)
  return {
    cartId: formatId('c', shard, epoch, local),
    saleId: shard.saleId,
    status,
    expiresAt: timeOf(Number(words[3])),
    items,
    total: { amount: total(items), currency: catalogue.currency },
    orderId: status === 'open' ? null : formatId('o', shard, epoch, local),
  }
}

export interface DecodedOrder {
  /** OK, REPEATED or PAID. */
  readonly word: string
  readonly order: Order
}

/** @returns the order that a reply says, or its refusal */
export function decodeOrder(reply: string, shard: Shard, epoch: number, catalogue: Catalogue): DecodedOrder | Refusal {
  const parts = reply.split('\n')
  if (parts.length !== 4) return decodeRefusal(reply)
  const [word, local, closed, returnWord] = parts[0]!.split(' ') as [string, string, string, string]
  const head = recordHead(parts[1]!)
  const { status } = head
  const payable = status === 'awaiting_payment' || status === 'payment_pending'
  return {
    word,
    order: {
      orderId: formatId('o', shard, epoch, local),
      saleId: shard.saleId,
      cartId: formatId('c', shard, epoch, local),
      status,
      payBy: payable ? timeOf(head.payByMs) : null,
      customer: JSON.parse(parts[3]!) as Customer,
      items: cartLines(parts[2]!.split(' '), 0, returnWord, catalogue, closed === '0'),
      total: { amount: head.totalAmount, currency: catalogue.currency },
      payment: head.payment,
      persisted: head.persisted,
      createdAt: timeOf(head.createdAtMs),
    },
  }
}

interface RecordHead {
  readonly status: OrderStatus
  readonly createdAtMs: number
  readonly payByMs: number
  readonly payment: Order['payment']
  readonly totalAmount: number
  readonly persisted: boolean
}

/** @returns the words of the first line of an order's record, as lua/orders.lua writes it */
function recordWords(line: string): readonly string[] {
  const words = line.split(' ')
  return words.length === 11 ? words : unexpected(line)
}

function recordHead(line: string): RecordHead {
  const words = recordWords(line)
  const paymentId = words[4]!
  return {
    status: words[0] as OrderStatus,
    createdAtMs: Number(words[2]),
    payByMs: Number(words[3]),
    payment: paymentId === '-'
      ? null
      : { paymentId, status: words[5] as 'pending' | 'succeeded' | 'declined', paidAt: optionalTime(words[6]!) },
    totalAmount: Number(words[9]),
    persisted: words[10] === '1',
  }
}

/** @returns a sale without items, as the reply to P, I or A begins */
export function decodeSale(words: readonly string[], catalogue: Catalogue): Sale {
  const { saleId, name, holdAt, holdSeconds, maxHoldSeconds, paymentSeconds, lowStockAt } = catalogue
  return {
    saleId,
    name,
    status: words[1] as Sale['status'],
    startsAt: timeOf(Number(words[2])),
    endsAt: optionalTime(words[3]!),
    holdAt,
    holdSeconds,
    maxHoldSeconds,
    paymentSeconds,
    lowStockAt,
  }
}

/** Words of a reply to I or A before its items, and words of an item. */
const saleWords = 6
const itemWords = 6

/** @returns the items of a reply to A, in the order in which the sale was published */
export function decodeItems(words: readonly string[], catalogue: Catalogue): SaleItem[] {
  const at = new Map<string, number>()
  for (let i = saleWords; i + itemWords <= words.length; i += itemWords) at.set(words[i]!, i)
  const decoded: SaleItem[] = []
  for (const [sku, entry] of catalogue.items) {
    const i = at.get(sku)
    if (i !== undefined) decoded.push(itemAt(words, i, entry, catalogue))
  }
  return decoded
}

/** @returns the item of a reply to I, or its refusal */
export function decodeItem(words: readonly string[], catalogue: Catalogue): SaleItem | Refusal {
  const entry = catalogue.items.get(words[saleWords]!)
  return entry === undefined ? { refused: 'item_not_found' } : itemAt(words, saleWords, entry, catalogue)
}

function itemAt(words: readonly string[], i: number, entry: CatalogueEntry, { currency, lowStockAt }: Catalogue): SaleItem {
  const limit = Number(words[i + 1])
  const quantity = Number(words[i + 3])
  const available = Number(words[i + 4])
  return {
    sku: words[i]!,
    name: entry.name,
    description: entry.description,
    price: { amount: Number(words[i + 2]), currency },
    listPrice: entry.listAmount === null ? null : { amount: entry.listAmount, currency },
    maxPerCart: limit === 0 ? null : limit,
    stock: { quantity, available, inCarts: Number(words[i + 5]) },
    lowStock: available <= lowStockAt,
    mayReturnAt: returnsAt(words[5]!, quantity, available),
  }
}

/** @returns an order as it leaves Redis for good, from the three lines of its record */
function finalOrder(record: readonly string[], shard: Shard, epoch: number, local: string, currency: string): { order: FinalOrder; paidAtMs: number } {
  const [head = '', lines = '', customer = ''] = record
  const words = recordWords(head)
  return {
    paidAtMs: Number(words[6]),
    order: {
      orderId: formatId('o', shard, epoch, local),
      cartId: formatId('c', shard, epoch, local),
      saleId: shard.saleId,
      customer: (JSON.parse(customer) as Customer | null) ?? unexpected('no customer in an entry of the outbox'),
      lines: orderLines(lines),
      totalAmount: Number(words[9]),
      currency,
      createdAtMs: Number(words[2]),
    },
  }
}

function orderLines(text: string): FinalOrder['lines'] {
  return text.split(' ').map((line) => {
    const [sku, quantity, unitAmount] = line.split('=') as [string, string, string]
    return { sku, quantity: Number(quantity), unitAmount: Number(unitAmount) }
  })
}

function counters(text: string): CountersAfter[] {
  const words = text.split(' ')
  const after: CountersAfter[] = []
  for (let i = 0; i + 4 < words.length; i += 5) {
    after.push({ sku: words[i]!, allocation: Number(words[i + 1]), available: Number(words[i + 2]), held: Number(words[i + 3]), sold: Number(words[i + 4]) })
  }
  return after
}

/** @returns what a paid entry takes from its items, and nothing else of it; null for every other entry */
export function decodeSold(shard: Shard, outboxId: string, [kind, text = '']: readonly string[]): SoldEntry | null {
  if (kind !== 'paid') return null
  const [head = '', , , lines = ''] = text.split('\n', 4)
  const [local = '', epoch = ''] = head.split(' ', 2)
  return lines === '' ? null : { outboxId, orderId: formatId('o', shard, Number(epoch), local), lines: orderLines(lines) }
}

/**
 * @param fields the one field of a stream entry and its value, as lua/orders.lua writes them
 * @returns the entry that a script appended to the outbox; one that cannot be read says so, and holds up no other
 */
export function decodeEntry(shard: Shard, outboxId: string, fields: readonly string[], currency: string): OutboxEntry {
  const [kind = '', text = ''] = fields
  const lines = text.split('\n')
  const words = lines[0]!.split(' ')
  try {
    if (fields.length !== 2) unexpected(`${fields.length / 2} fields in an entry of the outbox`)
    return readEntry(shard, outboxId, kind, words, lines, currency)
  } catch (error) {
    return {
      kind: 'unreadable',
      outboxId,
      saleId: shard.saleId,
      writtenAs: kind,
      paymentId: words[3] ?? null,
      fields: [...fields],
      reason: error instanceof Error ? error.message : String(error),
    }
  }
}

function readEntry(shard: Shard, outboxId: string, kind: string, words: readonly string[], lines: readonly string[], currency: string): OutboxEntry {
  const base = { outboxId, counters: counters(lines[1] ?? unexpected('no counters in an entry of the outbox')) }
  if (kind === 'adjusted') {
    const [adjustmentId, sku, delta] = words.length === 3 ? (words as [string, string, string]) : unexpected(words.join(' '))
    return { ...base, kind, adjustmentId, saleId: shard.saleId, sku, delta: Number(delta) }
  }
  if (words.length !== 7) unexpected(words.join(' '))
  const [local, epoch, orderId, paymentId, amount, money, reason] = words as [string, string, string, string, string, string, string]
  const payment = { paymentId, orderId, amount: Number(amount), currency: money }
  const whole = lines.length === 2 ? null : finalOrder(lines.slice(2), shard, Number(epoch), local, currency)
  if (kind === 'paid' && whole !== null) return { ...base, kind, ...whole, payment }
  if (kind !== 'refund') unexpected(kind)
  return { ...base, kind: 'refund', order: whole?.order ?? null, payment, reason: reason as RefundReason }
}
