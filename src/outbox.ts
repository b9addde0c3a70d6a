/**
 * What a shard's outbox holds: everything that Redis has decided and Postgres must come to know. The
 * outbox is the truth, the queue only its carrier: an entry lives until Postgres has committed it.
 */
import { type Static, Type } from '@sinclair/typebox'
import { ClientId, Customer } from './contract.js'
import type { Shard } from './keys.js'

const Whole = Type.Integer({ minimum: 0 })

/** An order as it leaves Redis for good. Amounts are minor units of `currency`, times are Unix milliseconds. */
const FinalOrder = Type.Object({
  orderId: Type.String(),
  saleId: ClientId,
  cartId: Type.String(),
  customer: Customer,
  lines: Type.Array(Type.Object({ sku: ClientId, quantity: Type.Integer({ minimum: 1 }), unitAmount: Whole })),
  totalAmount: Whole,
  currency: Type.String(),
  createdAtMs: Whole,
})
export type FinalOrder = Static<typeof FinalOrder>

/** Money that the provider took. `amount` is minor units. */
const ProviderPayment = Type.Object({ paymentId: Type.String(), orderId: Type.String(), amount: Whole, currency: Type.String() })
export type ProviderPayment = Readonly<Static<typeof ProviderPayment>>

const RefundReason = Type.Union([
  Type.Literal('lapsed'), Type.Literal('cancelled'), Type.Literal('closed'), Type.Literal('amount_mismatch'), Type.Literal('duplicate'),
  Type.Literal('unknown_order'),
])
export type RefundReason = Static<typeof RefundReason>

/** An item's counters right after an entry took effect. */
const CountersAfter = Type.Object({ sku: ClientId, allocation: Whole, available: Whole, held: Whole, sold: Whole })
export type CountersAfter = Static<typeof CountersAfter>

/** `outboxId` is the stream's id, `<milliseconds>-<sequence>`. */
const entryBase = { outboxId: Type.String(), counters: Type.Array(CountersAfter) }

export const OutboxEntry = Type.Union([
  /** An order was paid: its row, its lines, their movements, lower quantities. */
  Type.Object({ ...entryBase, kind: Type.Literal('paid'), order: FinalOrder, payment: ProviderPayment, paidAtMs: Whole }),
  /** Money must go back. `order` where the order itself ends refunded; null where it stands, or nobody knows it. */
  Type.Object({
    ...entryBase, kind: Type.Literal('refund'), order: Type.Union([FinalOrder, Type.Null()]), payment: ProviderPayment, reason: RefundReason,
  }),
  /** Units left a running sale (`delta` < 0), and Postgres follows; or came to it, which Postgres knew first. */
  Type.Object({
    ...entryBase, kind: Type.Literal('adjusted'), adjustmentId: Type.String(), saleId: ClientId, sku: ClientId, delta: Type.Integer(),
  }),
  /** What no version of the scripts writes; whole, so that a person can put it right. `fields` is names and values in turn. */
  Type.Object({
    kind: Type.Literal('unreadable'),
    outboxId: Type.String(),
    saleId: Type.String(),
    writtenAs: Type.String(),
    paymentId: Type.Union([Type.String(), Type.Null()]),
    fields: Type.Array(Type.String()),
    reason: Type.String(),
  }),
])
export type OutboxEntry = Static<typeof OutboxEntry>

/** What an entry has sold. */
export interface SoldEntry {
  readonly outboxId: string
  readonly orderId: string
  readonly lines: FinalOrder['lines']
}

const StreamId = Type.String({ pattern: '^[0-9]{1,20}-[0-9]{1,20}$' })
/** The payload of a certify job: a sale that is closed. */
export const CertifyJob = Type.Object({ certify: ClientId })
export type CertifyJob = Static<typeof CertifyJob>

/** The payload of a persist job: a range of one outbox, both ends included, at most some hundred entries. */
export const PersistJob = Type.Object({
  saleId: Type.Union([ClientId, Type.Literal('')]),
  shard: Type.Integer({ minimum: 0 }),
  first: StreamId,
  last: StreamId,
})
export type PersistJob = Static<typeof PersistJob> & Shard
