/** The operator's credentials. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { refuse } from './refuse.js'

const digest = (token: string): Buffer => createHash('sha256').update(token).digest()

/**
 * @param token null where there is no operator: nobody is let in
 * @returns a preHandler hook, so that a call is validated first: the contract's order of refusals
 */
export function operatorOnly(token: string | null): (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> {
  const expected = token === null ? null : digest(token)
  return async (request, reply) => {
    const given = /^bearer +([\u0021-\u007e]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    // Digests, since they are of one length whatever was sent, and the comparison takes the same time for all.
    if (expected !== null && given !== undefined && timingSafeEqual(digest(given), expected)) return
    reply.header('www-authenticate', 'Bearer')
    return reply.send(refuse(reply, { refused: 'unauthorized' }))
  }
}
