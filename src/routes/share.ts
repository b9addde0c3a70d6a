/**
 * Answers that many hear at once. In a flash sale a whole batch reads the same item, or hears that it is gone: what they share is
 * one object, and is formatted once for all of them.
 */
import type { FastifyReply } from 'fastify'
import type { Cart, Sale, SaleItem } from '../contract.js'
import type { AlikeCart } from '../engine/engine.js'

const jsonType = 'application/json; charset=utf-8'

const texts = new WeakMap<object, string>()

/** Sends the text of what is shared. */
export function sendShared<Shared extends object>(reply: FastifyReply, shared: Shared, format: (shared: Shared) => unknown): FastifyReply {
  let text = texts.get(shared)
  if (text === undefined) texts.set(shared, (text = format(shared) as string))
  return reply.send(text)
}

/** Sends what a sale or an item says. */
export const sendLook = (reply: FastifyReply, answer: Sale | SaleItem): FastifyReply =>
  sendShared(reply.type(jsonType), answer, (its) => reply.serializeInput(its, '200'))

/** What tells the lines of one cart from those of the next that is alike. No string of the text holds it: quotes are escaped there. */
const moving = /"available":\d+,"inOtherCarts":\d+/
const untilId = '{"cartId":"'
const parts = new WeakMap<Cart, readonly string[]>()

/** Sends a cart that is like others of its batch, by the text of the first. */
export function sendAlike(reply: FastifyReply, { cartId, first, before }: AlikeCart): FastifyReply {
  let between = parts.get(first)
  if (between === undefined) {
    const text = reply.serializeInput(first, '201') as string
    parts.set(first, (between = text.slice(untilId.length + first.cartId.length).split(moving)))
  }
  let text = untilId + cartId + between[0]
  first.items.forEach(({ quantity, stock }, i) => {
    const taken = quantity * before
    text += `"available":${stock!.available - taken},"inOtherCarts":${stock!.inOtherCarts + taken}${between[i + 1]}`
  })
  return reply.type(jsonType).send(text)
}
