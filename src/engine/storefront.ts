/**
 * What customers ask of a sale: look, hold, check out, cancel. Answers are the contract's own shapes.
 */
import { createHash } from 'node:crypto'
import { type Cart, type CartLine, type Customer, type LineRequest, maxCartLines, maxQuantity, type Order, type Sale, type SaleItem } from '../contract.js'
import { formatId, parseId } from '../ids.js'
import { salesKey, shardKey } from '../keys.js'
import { isRefusal, type Refusal } from '../problems.js'
import { overloaded, type Reply, shed } from './batch.js'
import type { Catalogue } from './catalogue.js'
import { type Core, shardOf } from './core.js'
import { decodeCart, decodeItem, decodeItems, decodeOrder, decodeRefusal, decodeSale } from './decode.js'
import { MadeAlike } from './hold-call.js'

/** A cart that says what the first of its batch says, but for its id and for the units that those before it took: as many as it takes itself. */
export interface AlikeCart {
  readonly cartId: string
  readonly first: Cart
  /** How many carts came between the first and this one, the first included. */
  readonly before: number
}

export interface Storefront {
  /** @returns the published sales, without items, in the order of their ids */
  sales(): Promise<Sale[] | Refusal>
  sale(saleId: string): Promise<Sale | Refusal>
  item(saleId: string, sku: string): Promise<SaleItem | Refusal>
  /**
   * Makes a cart with all of the lines or none; the same key again answers with the cart as it is now. Of carts that a batch has
   * made with one answer, it tells what is their own.
   */
  createCart(saleId: string, lines: readonly LineRequest[], idempotencyKey?: string): Promise<Cart | AlikeCart | Refusal>
  cart(cartId: string): Promise<Cart | Refusal>
  /** Sets a line to a quantity; 0 removes it. */
  setLine(cartId: string, sku: string, quantity: number): Promise<Cart | Refusal>
  removeCart(cartId: string): Promise<null | Refusal>
  checkout(cartId: string, customer: Customer): Promise<{ order: Order; repeated: boolean } | Refusal>
  order(orderId: string): Promise<Order | Refusal>
  cancelOrder(orderId: string): Promise<null | Refusal>
  /** Whether the id of a cart or an order is of an epoch that is over: Redis has lost its disk since. */
  voided(id: string): Promise<boolean>
  /** Whether a sale has given out its last unit for good. */
  closed(saleId: string): Promise<boolean>
  /** @throws where Redis has lost its sales: another one must not make it look whole */
  assertWhole(): Promise<void>
}

const refuseLines = (message: string): Refusal => ({ refused: 'invalid_request', errors: [{ path: '/items', message }] })
const tooMany = refuseLines(`lines of one item must not come to more than ${maxQuantity}`)
const tooManyLines = refuseLines(`must be for at most ${maxCartLines} items`)

/** @returns lines of one item summed, in the order in which the items came first; or why they are no cart */
function summed(lines: readonly LineRequest[]): string[] | Refusal {
  if (lines.length === 1) return [`${lines[0]!.sku}=${lines[0]!.quantity}`]
  const quantities = new Map<string, number>()
  for (const { sku, quantity } of lines) {
    const sum = (quantities.get(sku) ?? 0) + quantity
    if (sum > maxQuantity) return tooMany
    quantities.set(sku, sum)
  }
  if (quantities.size > maxCartLines) return tooManyLines
  return Array.from(quantities, ([sku, quantity]) => `${sku}=${quantity}`)
}

/** @returns what tells one request from another under the same key: the lines, in whatever order they came */
function fingerprint(lines: readonly string[]): string {
  return createHash('sha256').update(lines.toSorted().join(' ')).digest('base64url').slice(0, 22)
}

type Decode<Answer> = (words: readonly string[], catalogue: Catalogue) => Answer | Refusal

const withoutItems = (words: readonly string[], catalogue: Catalogue) => ({ sale: decodeSale(words, catalogue), closed: words[4] === '1' })

const withItems = (words: readonly string[], catalogue: Catalogue): Sale => ({ ...decodeSale(words, catalogue), items: decodeItems(words, catalogue) })

export function createStorefront(core: Core): Storefront {
  /** What many ask of a sale at once, read and decoded once for all of them: a sale may have thousands of items. */
  const looks = new WeakMap<Promise<Reply>, Promise<unknown>>()

  /** Reads what a sale says of itself (P), one item (I) or all (A); each of them has one way of being decoded. */
  function look<Answer>(saleId: string, request: string, decode: Decode<Answer>, catalogue = core.known(saleId)): Promise<Answer | Refusal> {
    if (catalogue === undefined) return lookUp(saleId, request, decode)
    const asked = core.ask('read', shardOf(saleId), request)
    let answer = looks.get(asked) as Promise<Answer | Refusal> | undefined
    if (answer === undefined) looks.set(asked, (answer = understand(asked, decode, catalogue)))
    return answer
  }

  /** A sale that this process does not know costs less to be looked up than to be read. */
  async function lookUp<Answer>(saleId: string, request: string, decode: Decode<Answer>): Promise<Answer | Refusal> {
    const catalogue = await core.catalogue(saleId)
    return catalogue === null ? core.missing('sale_not_found') : look(saleId, request, decode, catalogue)
  }

  async function understand<Answer>(asked: Promise<Reply>, decode: Decode<Answer>, catalogue: Catalogue): Promise<Answer | Refusal> {
    const reply = await asked
    if (reply === shed) return overloaded
    if (reply === null) return core.missing('sale_not_found')
    return reply.words.startsWith('OK ') ? decode(reply.words.split(' '), catalogue) : decodeRefusal(reply.words)
  }

  async function cartRequest(cartId: string, script: 'hold' | 'remove' | 'read', request: (epoch: number, local: string) => string) {
    const id = parseId('c', cartId)
    const catalogue = id && (await core.catalogue(id.saleId))
    if (!catalogue) return id ? core.missing('cart_not_found') : ({ refused: 'cart_not_found' } as const)
    const reply = await core.ask(script, id, request(id.epoch, id.local))
    if (reply === shed) return overloaded
    if (reply === null) return core.missing('cart_not_found')
    return decodeCart(reply.words, id, reply.epoch, catalogue)
  }

  return {
    async sales() {
      const ids = await core.redis().smembers(salesKey)
      if (ids.length === 0) await core.assertWhole()
      const listed: Sale[] = []
      for (const found of await Promise.all(ids.toSorted().map((saleId) => look(saleId, 'P', withoutItems)))) {
        if (isRefusal(found)) return found
        listed.push(found.sale)
      }
      return listed
    },

    sale: (saleId) => look(saleId, 'A', withItems),

    item: (saleId, sku) => look(saleId, `I ${sku}`, decodeItem),

    async createCart(saleId, lines, idempotencyKey) {
      const words = summed(lines)
      if (isRefusal(words)) return words
      const catalogue = core.known(saleId) ?? (await core.catalogue(saleId))
      if (catalogue === null) return core.missing('sale_not_found')
      const shard = shardOf(saleId)
      // No key can be a dot.
      const key = idempotencyKey === undefined ? '. .' : `${idempotencyKey} ${fingerprint(words)}`
      const reply = await core.ask('hold', shard, `C ${key} ${words.join(' ')}`)
      if (reply === shed) return overloaded
      if (reply === null) return core.missing('sale_not_found')
      if (reply instanceof MadeAlike) {
        const { made, id, before, epoch } = reply
        const first = (made.first ??= decodeCart(made.words, shard, epoch, catalogue) as Cart)
        const low = ({ quantity, stock }: CartLine) => stock!.available - quantity * before <= catalogue.lowStockAt
        if (first.items.every((line) => low(line) === line.lowStock)) return { cartId: formatId('c', shard, epoch, id), first, before }
      }
      return decodeCart(reply.words, shard, reply.epoch, catalogue)
    },

    cart: (cartId) => cartRequest(cartId, 'read', (epoch, local) => `C ${epoch} ${local}`),

    setLine: (cartId, sku, quantity) =>
      // Whoever gives a line back may do so while Redis is full.
      cartRequest(cartId, quantity === 0 ? 'remove' : 'hold', (epoch, local) => `S ${epoch} ${local} ${sku} ${quantity}`),

    async removeCart(cartId) {
      const id = parseId('c', cartId)
      if (id === null) return { refused: 'cart_not_found' }
      const reply = await core.ask('remove', id, `${id.epoch} ${id.local}`)
      if (reply === shed) return overloaded
      if (reply === null) return core.missing('cart_not_found')
      return reply.words === 'OK' ? null : decodeRefusal(reply.words)
    },

    async checkout(cartId, customer) {
      const id = parseId('c', cartId)
      const catalogue = id && (await core.catalogue(id.saleId))
      if (!catalogue) return id ? core.missing('cart_not_found') : { refused: 'cart_not_found' }
      const reply = await core.ask('checkout', id, `${id.epoch} ${id.local} ${JSON.stringify(customer)}`)
      if (reply === shed) return overloaded
      if (reply === null) return core.missing('cart_not_found')
      const decoded = decodeOrder(reply.words, id, reply.epoch, catalogue)
      return isRefusal(decoded) ? decoded : { order: decoded.order, repeated: decoded.word === 'REPEATED' }
    },

    async order(orderId) {
      const id = parseId('o', orderId)
      const catalogue = id && (await core.catalogue(id.saleId))
      if (!catalogue) return id ? core.missing('order_not_found') : { refused: 'order_not_found' }
      const reply = await core.ask('read', id, `O ${id.epoch} ${id.local}`)
      if (reply === shed) return overloaded
      if (reply === null) return core.missing('order_not_found')
      const decoded = decodeOrder(reply.words, id, reply.epoch, catalogue)
      return isRefusal(decoded) ? decoded : decoded.order
    },

    async cancelOrder(orderId) {
      const id = parseId('o', orderId)
      if (id === null) return { refused: 'order_not_found' }
      const reply = await core.ask('cancel', id, `${id.epoch} ${id.local}`)
      if (reply === shed) return overloaded
      if (reply === null) return core.missing('order_not_found')
      return reply.words === 'OK' ? null : decodeRefusal(reply.words)
    },

    async closed(saleId) {
      const found = await look(saleId, 'P', withoutItems)
      return !isRefusal(found) && found.closed
    },

    async voided(publicId) {
      const id = parseId('o', publicId) ?? parseId('c', publicId)
      return id !== null && Number(await core.redis().hget(shardKey(id, 'policy'), 'epoch')) > id.epoch
    },

    assertWhole: core.assertWhole,
  }
}
