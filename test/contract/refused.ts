/**
 * The refusals that the API promises, as a client depends on them: written down here a second time, so that a change of the
 * first is noticed.
 */
import type { Test } from 'tap'
import type { Problem } from '../../src/problems.js'
import type { Reply } from './shop.js'

interface Promised {
  readonly status: number
  /** What it carries beside the five fields of every problem. */
  readonly carries?: readonly string[]
  readonly retryAfter?: true
}

const promised = {
  invalid_request: { status: 400, carries: ['errors'] },
  unauthorized: { status: 401 },
  payment_declined: { status: 402 },
  sale_not_found: { status: 404 },
  item_not_found: { status: 404 },
  cart_not_found: { status: 404 },
  order_not_found: { status: 404 },
  route_not_found: { status: 404 },
  request_timeout: { status: 408 },
  insufficient_stock: { status: 409, carries: ['items'] },
  sale_not_open: { status: 409, carries: ['startsAt'], retryAfter: true },
  cart_checked_out: { status: 409 },
  cart_empty: { status: 409 },
  order_already_paid: { status: 409 },
  payment_in_progress: { status: 409 },
  over_allocated: { status: 409 },
  sale_exists: { status: 409 },
  item_exists: { status: 409 },
  below_committed: { status: 409 },
  sale_state: { status: 409 },
  sale_ended: { status: 410 },
  cart_expired: { status: 410 },
  order_expired: { status: 410 },
  order_cancelled: { status: 410 },
  payload_too_large: { status: 413 },
  unsupported_media_type: { status: 415 },
  headers_too_large: { status: 431 },
  limit_exceeded: { status: 422, carries: ['items'] },
  idempotency_key_reused: { status: 422 },
  too_many_requests: { status: 429, retryAfter: true },
  overloaded: { status: 503, retryAfter: true },
  unavailable: { status: 503, retryAfter: true },
} as const satisfies Record<string, Promised>

export type Code = keyof typeof promised

const everyProblem = ['code', 'detail', 'status', 'title', 'type']
/** A frame of a stack, a place in our sources, or the text of an error of Redis or Postgres. */
const innards = /\n\s+at |\.(?:ts|js|lua):\d+|node_modules|ERR |WRONGTYPE|user_script|syntax error at/

/** Asserts a refusal: its status, its type, its code, exactly its members, and nothing of our insides. @returns the problem */
export function refused(t: Test, reply: Reply<unknown>, code: Code, members: Partial<Problem> = {}): Problem {
  const { status, carries = [], retryAfter }: Promised = promised[code]
  const problem = JSON.parse(reply.text) as Problem
  t.equal(problem.code, code)
  t.equal(reply.status, status, `${code} has status ${status}`)
  t.match(reply.header('content-type') ?? '', /^application\/problem\+json(; charset=utf-8)?$/, 'a problem says that it is one')
  t.equal(problem.status, status)
  t.strictSame(Object.keys(problem).toSorted(), [...everyProblem, ...carries].toSorted(), `${code} carries just this`)
  for (const text of [problem.type, problem.title, problem.detail]) t.ok(text.length > 0)
  if (retryAfter) t.match(reply.header('retry-after') ?? '', /^[1-9]\d*$/, 'and says when to come again')
  t.notMatch(reply.text, innards, 'no stack')
  const told: Record<string, unknown> = { ...problem }
  for (const [name, value] of Object.entries(members)) t.strictSame(told[name], value, name)
  return problem
}

/** Asserts a 400 that names these places. */
export function invalid(t: Test, reply: Reply<unknown>, ...paths: string[]): void {
  const { errors = [] } = refused(t, reply, 'invalid_request')
  t.ok(errors.length > 0 && errors.every(({ message }) => message.length > 0), 'it says what is wrong')
  if (paths.length > 0) t.strictSame(errors.map(({ path }) => path), paths, 'and where')
}
