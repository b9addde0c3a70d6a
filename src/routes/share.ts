/**
 * Answers that many hear at once. In a flash sale a whole batch reads the same item, or hears that it is gone: what they share is
 * one object, and is formatted once for all of them.
 */
import type { FastifyReply } from 'fastify'
import type { Sale, SaleItem } from '../contract.js'

const texts = new WeakMap<object, string>()

/** Sends what a sale or an item says, as the route's schema for 200 has it. */
export function share(reply: FastifyReply, answer: Sale | SaleItem): FastifyReply {
  let text = texts.get(answer)
  if (text === undefined) texts.set(answer, (text = reply.serializeInput(answer, '200') as string))
  return reply.type('application/json; charset=utf-8').send(text)
}
