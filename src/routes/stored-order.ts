/**
 * Orders that Redis has let go of, from Postgres. Only an id that could be one is looked up; the live stock
 * of the lines comes from the sale, as long as it is not closed.
 */
import type { CartLine, Order } from '../contract.js'
import type { Database } from '../database.js'
import type { Engine } from '../engine/engine.js'
import { formatId, parseId } from '../ids.js'
import { isRefusal } from '../problems.js'

/**
 * @returns the order, or null where there is none with this id
 * @throws where Postgres cannot say
 */
export async function storedOrder(orderId: string, engine: Engine, database: Database): Promise<Order | null> {
  if (parseId('o', orderId) === null) return null
  const order = await database.order(orderId)
  return order && withStock(order, engine)
}

/** @returns the order that was made from a cart, or null: the two share the random part of their ids */
export async function orderOfCart(cartId: string, engine: Engine, database: Database): Promise<Order | null> {
  const id = parseId('c', cartId)
  return id && storedOrder(formatId('o', id, id.epoch, id.local), engine, database)
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
