/**
 * Ids of carts, orders and payments. An id is a capability: more than 128 random bits that nobody can guess. It
 * carries its kind, sale, shard and epoch, so any API process can route it without a look-up:
 *
 *     c.<saleId>.<shard>.<epoch>.<22 characters of base64url>
 *
 * An order has the random part of the cart that it was made from; so the order of a cart that is gone can
 * still be found, and one cart can never become two orders.
 */
import { randomBytes } from 'node:crypto'
import type { Shard } from './keys.js'

/** The random part of an id: what a shard's hashes are keyed by. */
export type LocalId = string

export type IdKind = 'c' | 'o' | 'p'

export interface ParsedId extends Shard {
  readonly epoch: number
  readonly local: LocalId
}

const localLength = 22
/** Characters drawn at a time: 512 ids. Each is six random bits. */
const poolLength = 512 * localLength
let pool = ''
let used = poolLength

/** @returns 132 random bits as 22 characters of base64url */
export function newLocalId(): LocalId {
  if (used === poolLength) {
    pool = randomBytes((poolLength / 4) * 3).toString('base64url')
    used = 0
  }
  const id = pool.slice(used, used + localLength)
  used += localLength
  return id
}

/** @returns the public id of what `local` names in a shard */
export function formatId(kind: IdKind, { saleId, shard }: Shard, epoch: number, local: LocalId): string {
  return `${kind}.${saleId}.${shard}.${epoch}.${local}`
}

const patterns: Record<IdKind, RegExp> = {
  c: /^c\.([A-Za-z0-9_-]{1,32})\.(0)\.([1-9][0-9]{0,5})\.([A-Za-z0-9_-]{22})$/,
  o: /^o\.([A-Za-z0-9_-]{1,32})\.(0)\.([1-9][0-9]{0,5})\.([A-Za-z0-9_-]{22})$/,
  p: /^p\.([A-Za-z0-9_-]{1,32})\.(0)\.([1-9][0-9]{0,5})\.([A-Za-z0-9_-]{22})$/,
}

/** @returns what an id says, or null where it is none of ours */
export function parseId(kind: IdKind, id: string): ParsedId | null {
  const match = patterns[kind].exec(id)
  return match && { saleId: match[1]!, shard: Number(match[2]), epoch: Number(match[3]), local: match[4]! }
}

/** @returns enough of an id to find it in a log, and too little to use it */
export function redactId(id: string): string {
  return id.length <= 8 ? '…' : `${id.slice(0, -16)}…`
}
