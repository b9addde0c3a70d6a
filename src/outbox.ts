/**
 * What a shard's outbox holds: everything that Redis has decided and Postgres must come to know. The
 * outbox is the truth, the queue only its carrier: an entry lives until Postgres has committed it.
 */
import { type Static, Type } from '@sinclair/typebox'
import { ClientId, type Customer } from './contract.js'
import type { Shard } from './keys.js'

/** An order as it leaves Redis for good. Amounts are minor units of `currency`, times are Unix milliseconds. */
export interface FinalOrder {
  readonly orderId: string
  readonly saleId: string
  readonly cartId: string
  readonly customer: Customer
  readonly lines: readonly { readonly sku: string; readonly quantity: number; readonly unitAmount: number }[]
  readonly totalAmount: number
  readonly currency: string
  readonly createdAtMs: number
}

/** Money that the provider took. `amount` is minor units. */
export interface ProviderPayment {
  readonly paymentId: string
  readonly orderId: string
  readonly amount: number
  readonly currency: string
}

export type RefundReason = 'lapsed' | 'cancelled' | 'closed' | 'amount_mismatch' | 'duplicate' | 'unknown_order'

/** An item's counters right after an entry took effect. */
export interface CountersAfter {
  readonly sku: string
  readonly allocation: number
  readonly available: number
  readonly held: number
  readonly sold: number
}

interface EntryBase {
  /** The stream's id, `<milliseconds>-<sequence>`. */
  readonly outboxId: string
  readonly counters: readonly CountersAfter[]
}

export type OutboxEntry =
  /** An order was paid: its row, its lines, their movements, lower quantities. */
  | (EntryBase & { readonly kind: 'paid'; readonly order: FinalOrder; readonly payment: ProviderPayment; readonly paidAtMs: number })
  /** Money must go back. `order` where the order itself ends refunded; null where it stands, or nobody knows it. */
  | (EntryBase & { readonly kind: 'refund'; readonly order: FinalOrder | null; readonly payment: ProviderPayment; readonly reason: RefundReason })
  /** Units left a running sale (`delta` < 0): Postgres follows. */
  | (EntryBase & { readonly kind: 'shrunk'; readonly adjustmentId: string; readonly saleId: string; readonly sku: string; readonly delta: number })
  /** What no version of the scripts writes; whole, so that a person can put it right. `fields` is names and values in turn. */
  | {
    readonly kind: 'unreadable'
    readonly outboxId: string
    readonly saleId: string
    readonly writtenAs: string
    readonly paymentId: string | null
    readonly fields: readonly string[]
    readonly reason: string
  }

const StreamId = Type.String({ pattern: '^[0-9]{1,20}-[0-9]{1,20}$' })
/** The payload of a persist job: a range of one outbox, both ends included, at most some hundred entries. */
export const PersistJob = Type.Object({
  saleId: Type.Union([ClientId, Type.Literal('')]),
  shard: Type.Integer({ minimum: 0 }),
  first: StreamId,
  last: StreamId,
})
export type PersistJob = Static<typeof PersistJob> & Shard
