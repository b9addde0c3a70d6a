/**
 * Every key in Redis. A shard of a sale lives in one tuple of container keys under one hash tag: all of
 * them are declared to every script, since nobody can know beforehand which carts have lapsed, and all
 * of them share one slot of a Redis Cluster.
 *
 * Sale ids match `^[A-Za-z0-9_-]{1,32}$`; the empty one names the shard of payments that no sale knows.
 */

/** One shard of one sale. There is one shard a sale today; ids and keys already carry it. */
export interface Shard {
  readonly saleId: string
  readonly shard: number
}

/** The container keys of a shard, in the order in which every script receives them. */
export const shardKeyNames = [
  'policy', // hash: window, times, epoch, clock, catalogue
  'stock', // hash: sku → allocation, counters, price, limit
  'carts', // hash: cart → deadline, first unit, lines
  'orders', // hash: order → state, payment, lines, customer
  'idempotency', // hash: client key, payment or adjustment → what it did
  'deadlines', // sorted set: cart or order → when it lapses
  'retention', // sorted set: what to forget → when
  'attempts', // sorted set: payment attempt of unknown outcome → when to ask the provider
  'outbox', // stream: what Postgres does not have yet
] as const
export type ShardKeyName = (typeof shardKeyNames)[number]

const saleIdPattern = /^[A-Za-z0-9_-]{0,32}$/

/**
 * @returns the key of one container of a shard
 * @throws RangeError where the sale id could break out of its hash tag: no caller may let it come this far
 */
export function shardKey({ saleId, shard }: Shard, name: ShardKeyName): string {
  if (!saleIdPattern.test(saleId)) throw new RangeError('a sale id that is not one reached a Redis key')
  return `fs:{${saleId}.${shard}}:${name}`
}

/** @returns the KEYS of every script that works on a shard */
export function shardKeys(shard: Shard): string[] {
  return shardKeyNames.map((name) => shardKey(shard, name))
}

/** The shard that keeps payments for orders that nobody knows, until they are refunded. */
export const strayShard: Shard = { saleId: '', shard: 0 }

/** Set of the published sales' ids. */
export const salesKey = 'fs:sales'
/** Present while this Redis has lost nothing: tells an unknown sale from a Redis without its data. */
export const markerKey = 'fs:marker'
/** Present, with an expiry, while some worker runs. */
export const workerKey = 'fs:worker'
/** Written where nothing else is, so that there is something for replicas to acknowledge. */
export const replicatedKey = 'fs:replicated'
/** @returns the key that is there while a sale's next audit is not due */
export const auditKey = (saleId: string): string => `fs:audit:${saleId}`
/** @returns the key that is there, with the epoch that a sale came back under, while what was paid before has not been looked for */
export const recoveringKey = (saleId: string): string => `fs:recovering:${saleId}`
/** @returns the key of one charge of the sandbox provider. A provider may choose any id; none makes a hash tag. */
export const chargeKey = (paymentId: string): string => `fs:sandbox:charge:${encodeURIComponent(paymentId)}`
/** @returns the key that is there where the sandbox has given a payment back */
export const refundKey = (paymentId: string): string => `fs:sandbox:refund:${encodeURIComponent(paymentId)}`
/** @returns the payment whose charge or refund a key is of */
export const paymentOf = (key: string): string => decodeURIComponent(key.slice(key.lastIndexOf(':') + 1))
/** @returns the key that says which order a payment that did not start here counts for */
export const paymentKey = (paymentId: string): string => `fs:payment:${encodeURIComponent(paymentId)}`
