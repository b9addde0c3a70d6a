/**
 * The refusals of the contract, once: code → status and title (RFC 9457). A refusal that a caller must
 * expect is a value, `Refusal`; the error handler turns it, and every fault, into `application/problem+json`.
 */
import { type Static, Type } from '@sinclair/typebox'
import { CallerStock, ClientId } from './contract.js'

const catalogue = {
  invalid_request: [400, 'The request is not valid'],
  unauthorized: [401, 'Valid credentials are needed'],
  payment_declined: [402, 'The payment was declined'],
  sale_not_found: [404, 'There is no such sale'],
  item_not_found: [404, 'There is no such item'],
  cart_not_found: [404, 'There is no such cart'],
  order_not_found: [404, 'There is no such order'],
  route_not_found: [404, 'There is nothing at this address'],
  request_timeout: [408, 'The request took too long to arrive'],
  insufficient_stock: [409, 'Not enough units are left'],
  sale_not_open: [409, 'The sale is not open'],
  cart_checked_out: [409, 'The cart has been checked out'],
  cart_empty: [409, 'The cart is empty'],
  order_already_paid: [409, 'The order has been paid'],
  payment_in_progress: [409, 'A payment is in progress'],
  over_allocated: [409, 'More is allocated than the store can still sell'],
  sale_exists: [409, 'There is a sale with this id'],
  item_exists: [409, 'There is an item with this sku and another quantity'],
  below_committed: [409, 'Fewer units would be left than are sold, held or allocated'],
  sale_state: [409, 'The sale is not in a state for this'],
  sale_ended: [410, 'The sale has ended'],
  cart_expired: [410, 'The cart has expired'],
  order_expired: [410, 'The order has expired'],
  order_cancelled: [410, 'The order has been cancelled'],
  payload_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body must be application/json'],
  limit_exceeded: [422, 'More than one cart may hold'],
  idempotency_key_reused: [422, 'The idempotency key was used for another request'],
  too_many_requests: [429, 'Too many requests'],
  headers_too_large: [431, 'The headers are too large'],
  overloaded: [503, 'Too many requests are waiting'],
  unavailable: [503, 'The outcome is not known, or the store cannot be reached'],
} as const satisfies Record<string, readonly [number, string]>

export type ProblemCode = keyof typeof catalogue

export const ShortLine = Type.Object({
  sku: ClientId,
  requested: Type.Integer(),
  stock: CallerStock,
  soldOut: Type.Boolean(),
  mayReturnAt: Type.Unsafe<string | null>(Type.String({ format: 'date-time', nullable: true })),
})
export type ShortLine = Static<typeof ShortLine>

export const OverLimitLine = Type.Object({ sku: ClientId, requested: Type.Integer(), maxPerCart: Type.Integer() })
export type OverLimitLine = Static<typeof OverLimitLine>

const Unmet = Type.Object({ path: Type.String(), message: Type.String() })

type CodeWithMembers = 'insufficient_stock' | 'limit_exceeded' | 'sale_not_open' | 'invalid_request' | 'overloaded' | 'unavailable'

/** An expected refusal, with the members that its code carries. Times are RFC 3339, delays are seconds. */
export type Refusal =
  | { readonly refused: 'insufficient_stock'; readonly items: ShortLine[] }
  | { readonly refused: 'limit_exceeded'; readonly items: OverLimitLine[] }
  | { readonly refused: 'sale_not_open'; readonly startsAt: string; readonly retryAfterSeconds: number }
  | { readonly refused: 'invalid_request'; readonly errors: Static<typeof Unmet>[] }
  | { readonly refused: 'overloaded' | 'unavailable'; readonly retryAfterSeconds: number }
  | { readonly refused: Exclude<ProblemCode, CodeWithMembers> }

export function isRefusal<T>(result: T | Refusal): result is Refusal {
  return typeof result === 'object' && result !== null && 'refused' in result
}

const problemFields = {
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.String(),
}
/** Any problem of the contract. The members of one code are absent from the others. */
export const Problem = Type.Object({
  ...problemFields,
  errors: Type.Optional(Type.Array(Unmet)),
  items: Type.Optional(Type.Array(Type.Object({
    sku: ClientId,
    requested: Type.Integer(),
    maxPerCart: Type.Optional(Type.Integer()),
    stock: Type.Optional(CallerStock),
    soldOut: Type.Optional(Type.Boolean()),
    mayReturnAt: Type.Optional(ShortLine.properties.mayReturnAt),
  }))),
  startsAt: Type.Optional(Type.String({ format: 'date-time' })),
})
export type Problem = Static<typeof Problem>

/** @returns the HTTP status of a code */
export const problemStatus = (code: ProblemCode): number => catalogue[code][0]

/** @returns the body of a problem; `detail` defaults to the code's title */
export function problem(refusal: Refusal, detail?: string): Problem {
  const [status, title] = catalogue[refusal.refused]
  const { refused: code, ...members } = refusal
  // Delays travel in the Retry-After header, not in the body.
  if ('retryAfterSeconds' in members) {
    const { retryAfterSeconds: _, ...rest } = members
    return { type: `urn:flash-sale:problem:${code}`, title, status, detail: detail ?? `${title}.`, code, ...rest }
  }
  return { type: `urn:flash-sale:problem:${code}`, title, status, detail: detail ?? `${title}.`, code, ...members }
}
