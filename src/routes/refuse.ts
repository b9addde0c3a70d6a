/**
 * How a refusal leaves: as `application/problem+json`, with its delay in `Retry-After`. And how a route's
 * schema says which ones it has.
 */
import type { FastifyReply } from 'fastify'
import { type Problem, Problem as ProblemSchema, problem, type ProblemCode, problemStatus, type Refusal } from '../problems.js'
import { sendShared } from './share.js'

export const problemType = 'application/problem+json'

/** Any reply, whatever its route's schema lets it send. */
type Reply = Pick<FastifyReply, 'statusCode' | 'raw' | 'server'> & {
  header(name: string, value: string | number): unknown
}

/** Sets a reply up for a refusal. @returns the body, for the handler to return */
export function refuse(reply: Reply, refusal: Refusal, detail?: string): Problem {
  setUp(reply, refusal)
  return problem(refusal, detail)
}

/** Refuses what is refused in the same words to many at once: one object, which the route's schema names. */
export function refuseAlike(reply: FastifyReply, refusal: Refusal): FastifyReply {
  setUp(reply, refusal)
  return sendShared(reply, refusal, (its) => reply.serializeInput(problem(its), String(reply.statusCode), problemType))
}

function setUp(reply: Reply, refusal: Refusal): void {
  reply.server.metrics.refused(refusal.refused)
  reply.statusCode = problemStatus(refusal.refused)
  reply.header('content-type', problemType)
  if ('retryAfterSeconds' in refusal) reply.header('retry-after', Math.max(1, Math.ceil(refusal.retryAfterSeconds)))
}

/** A fault, or an outcome that is not known: safe to retry with the same key. */
export const unavailable: Refusal = { refused: 'unavailable', retryAfterSeconds: 1 }

type ProblemReply = { description: string; content: { [problemType]: { schema: typeof ProblemSchema } } }

/** Refusals that any route may have. */
const everywhere: readonly ProblemCode[] = ['invalid_request', 'too_many_requests', 'unavailable']

/**
 * @returns the replies of a route's schema for its refusals: a status each, with its codes as description, and
 *   one for whatever the server itself refuses (a body too large, a fault)
 */
export function refusals(...codes: ProblemCode[]): { '4xx': ProblemReply; '5xx': ProblemReply } {
  const byStatus: Record<string, ProblemCode[]> = {}
  for (const code of [...codes, ...everywhere]) (byStatus[problemStatus(code)] ??= []).push(code)
  const replies = Object.entries(byStatus).map(([status, its]) => [status, problemReply(its.map((code) => `\`${code}\``).join(', '))])
  return { ...Object.fromEntries(replies), '4xx': problemReply('Another refusal'), '5xx': problemReply('Another fault') }
}

function problemReply(description: string): ProblemReply {
  return { description, content: { [problemType]: { schema: ProblemSchema } } }
}
