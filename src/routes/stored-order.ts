/**
 * Orders that Redis has let go of, from Postgres. Only an id that could be one is looked up; the live stock
 * of the lines comes from the sale, as long as it is not closed.
 */
import type { CartLine, Order } from '../contract.js'
import type { Database, StoredOrder } from '../database.js'
import type { Engine } from '../engine/engine.js'
import { formatId, parseId } from '../ids.js'
import { isRefusal } from '../problems.js'
import { within } from '../within.js'

/** How long a customer waits for Postgres, in ms: it may be away, and a sale goes on without it. */
const storedMs = 500

/**
 * @returns the order, or null where there is none with this id
 * @throws where Postgres cannot say in time
 */
export async function storedOrder(orderId: string, engine: Engine, database: Database): Promise<StoredOrder | null> {
  if (parseId('o', orderId) === null) return null
  const stored = await within(storedMs, database.order(orderId))
  return stored && { ...stored, order: await withStock(stored.order, engine) }
}

/** @returns the order that was made from a cart, or null: the two share the random part of their ids */
export async function orderOfCart(cartId: string, engine: Engine, database: Database): Promise<Order | null> {
  const id = parseId('c', cartId)
  const stored = id && (await storedOrder(formatId('o', id, id.epoch, id.local), engine, database))
  return stored && stored.order
}

async function withStock(order: Order, engine: Engine): Promise<Order> {
  if (await engine.closed(order.saleId)) return order
  return { ...order, items: await Promise.all(order.items.map((line) => lineWithStock(line, order.saleId, engine))) }
}

/** Nothing of a paid order is in a cart, so every unit in one is in another's. */
async function lineWithStock(line: CartLine, saleId: string, engine: Engine): Promise<CartLine> {
  const item = await engine.item(saleId, line.sku)
  if (isRefusal(item)) return line
  const { stock: { quantity, available, inCarts }, lowStock, mayReturnAt } = item
  return { ...line, stock: { quantity, available, inOtherCarts: inCarts }, lowStock, mayReturnAt }
}
