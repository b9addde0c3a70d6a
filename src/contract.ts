/**
 * The HTTP contract: every body, parameter and reply, once. Types, validators, serializers and the
 * OpenAPI document all derive from the schemas in this file.
 *
 * Units: money is an integer of minor units, times are RFC 3339 in UTC with three decimals.
 */
import { type Static, type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'

/** Largest allocation of an item, and largest quantity that a request may name. */
export const maxQuantity = 1_000_000_000
/** Largest amount of money, in minor units: the largest integer that a JSON number carries exactly. */
export const maxAmount = Number.MAX_SAFE_INTEGER
/** Most lines of a cart. */
export const maxCartLines = 100
/** Most lines of a request; those of one item are summed, and only then held against the lines of a cart. */
const maxRequestLines = 1_000
/** Most items of a sale. */
export const maxSaleItems = 10_000
/** Longest hold since a cart last grew, in seconds. */
const longestHoldSeconds = 86_400
/** Longest hold since its first unit, longest time to start a payment, and longest that a payment may be pending, in seconds. */
const longestSeconds = 30 * 86_400

/** An object that refuses what it does not name. */
function Strict<T extends TProperties>(properties: T, options: { $id?: string; description?: string } = {}): TObject<T> {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

/** A value that may be null; `nullable` keeps the serializer on its fast path, which a union would leave. */
function Nullable<T extends TSchema>(schema: T) {
  return Type.Unsafe<Static<T> | null>({ ...schema, nullable: true })
}

const Integer = (minimum: number, maximum: number, description?: string) =>
  Type.Integer({ minimum, maximum, ...(description === undefined ? {} : { description }) })

/** Text without control characters or lone surrogates: what Postgres and a log line can hold. */
const textPattern = '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]*$'
/** The same, and line breaks and tabs. */
const prosePattern = '^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f\\ud800-\\udfff]*$'
const Text = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: textPattern })

/** An id that the operator chooses. */
export const ClientId = Type.String({ pattern: '^[A-Za-z0-9_-]{1,32}$' })
const Time = Type.String({ format: 'date-time' })
const TimeInput = Type.String({ format: 'date-time', pattern: 'Z$', maxLength: 40 })
const Quantity = Integer(1, maxQuantity)
const Count = Type.Integer({ minimum: 0 })

export const Money = Strict({ amount: Integer(0, maxAmount), currency: Type.String({ pattern: '^[A-Z]{3}$' }) })
export type Money = Static<typeof Money>

// --- Sales -----------------------------------------------------------------------------------------

export const SaleStock = Strict({
  quantity: Count,
  available: Count,
  inCarts: Count,
}, { description: 'Live numbers: units not yet paid for, units that a new request can get, units in carts and unpaid orders.' })
export type SaleStock = Static<typeof SaleStock>

export const CallerStock = Strict({
  quantity: Count,
  available: Count,
  inOtherCarts: Count,
}, { description: 'Live numbers as one cart sees them: the caller’s own units are not in `inOtherCarts`.' })
export type CallerStock = Static<typeof CallerStock>

const LowStock = Type.Boolean({ description: 'Whether `available` is at or below the sale’s `lowStockAt`.' })
const MayReturnAt = {
  ...Nullable(Time),
  description: 'Where none is available and some are held: the earliest time at which any hold of the sale can lapse, so that nothing comes back sooner. Else null.',
}

export const SaleItem = Strict({
  sku: ClientId,
  name: Type.String(),
  description: Type.String(),
  price: Money,
  listPrice: { ...Nullable(Money), description: 'The catalogue’s price, where it is higher.' },
  maxPerCart: { ...Nullable(Quantity), description: 'Most units of it in one cart; null where there is no limit.' },
  stock: SaleStock,
  lowStock: LowStock,
  mayReturnAt: MayReturnAt,
}, { description: 'An item of a sale, with its live stock.' })
export type SaleItem = Static<typeof SaleItem>

export const SaleStatus = Type.Unsafe<'scheduled' | 'open' | 'paused' | 'ended'>(
  Type.String({ enum: ['scheduled', 'open', 'paused', 'ended'] }),
)
export const HoldAt = Type.Unsafe<'cart' | 'checkout'>(Type.String({ enum: ['cart', 'checkout'] }))

const saleFields = {
  saleId: ClientId,
  name: Type.String(),
  status: SaleStatus,
  startsAt: Time,
  endsAt: Nullable(Time),
  holdAt: HoldAt,
  holdSeconds: Integer(1, longestHoldSeconds),
  maxHoldSeconds: Integer(1, longestSeconds),
  paymentSeconds: Integer(1, longestSeconds),
  lowStockAt: Integer(0, maxQuantity),
}
export const Sale = Strict({ ...saleFields, items: Type.Optional(Type.Array(SaleItem)) }, { description: 'A sale as it is now.' })
export type Sale = Static<typeof Sale>
export const SaleList = Strict({ sales: Type.Array(Sale) }, { description: 'The published sales, without their items.' })

/** What changes about a sale while it is watched. */
export const StockEvent = Strict({
  saleId: ClientId,
  status: SaleStatus,
  startsAt: Time,
  endsAt: Nullable(Time),
  items: Type.Array(Strict({ sku: ClientId, stock: SaleStock, lowStock: LowStock, mayReturnAt: MayReturnAt })),
}, { description: 'The data of a `stock` event: the sale as it is now, with every item in the first event, and those that have changed in each later one.' })
export type StockEvent = Static<typeof StockEvent>

// --- Carts -----------------------------------------------------------------------------------------

export const CartLine = Strict({
  sku: ClientId,
  name: Type.String(),
  quantity: Quantity,
  unitPrice: Money,
  lineTotal: Money,
  stock: { ...Nullable(CallerStock), description: 'Live numbers as the caller sees them; null once the sale is closed.' },
  lowStock: LowStock,
  mayReturnAt: MayReturnAt,
})
export type CartLine = Static<typeof CartLine>

export const Cart = Strict({
  cartId: Type.String(),
  saleId: ClientId,
  status: Type.Unsafe<'open' | 'checked_out'>(Type.String({ enum: ['open', 'checked_out'] })),
  expiresAt: { ...Time, description: 'When its units go: those of a cart that is not checked out by then, those of an order that is not paid.' },
  items: Type.Array(CartLine),
  total: Money,
  orderId: { ...Nullable(Type.String()), description: 'The order that it became. Once that is paid, the cart is deleted.' },
}, { description: 'A cart as it is now.' })
export type Cart = Static<typeof Cart>

export const LineRequest = Strict({ sku: ClientId, quantity: Quantity })
export type LineRequest = Static<typeof LineRequest>
export const CreateCart = Strict({ items: Type.Optional(Type.Array(LineRequest, { maxItems: maxRequestLines })) })
export const SetLine = Strict({ quantity: Integer(0, maxQuantity) })
/** The body of a call that needs none. */
export const NoBody = Strict({})
export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' })),
})

// --- Orders ----------------------------------------------------------------------------------------

/** A customer's text as it comes in. What it has to be once trimmed is checked where it is trimmed, in `routes/customer.ts`. */
const CustomerText = Type.String({ minLength: 1, maxLength: 1_000 })

export const Customer = Strict({
  name: CustomerText,
  email: Type.String({ minLength: 3, maxLength: 1_000 }),
  phone: Type.Optional(CustomerText),
  address: Strict({
    line1: CustomerText,
    line2: Type.Optional(CustomerText),
    city: CustomerText,
    region: Type.Optional(CustomerText),
    postalCode: CustomerText,
    country: Type.String({ minLength: 2, maxLength: 1_000, description: 'ISO 3166-1 alpha-2' }),
  }),
})
export type Customer = Static<typeof Customer>

export const orderStatuses = [
  'awaiting_payment', 'payment_pending', 'paid', 'expired', 'cancelled', 'refund_due', 'refunded',
] as const
export type OrderStatus = (typeof orderStatuses)[number]

export const Payment = Strict({
  paymentId: Type.String(),
  status: Type.Unsafe<'pending' | 'succeeded' | 'declined'>(Type.String({ enum: ['pending', 'succeeded', 'declined'] })),
  paidAt: Nullable(Time),
})

export const Order = Strict({
  orderId: Type.String(),
  saleId: ClientId,
  cartId: Type.String(),
  status: Type.Unsafe<OrderStatus>(Type.String({ enum: [...orderStatuses] })),
  payBy: {
    ...Nullable(Time),
    description: 'Until when a payment can be started; null once none can. While the provider has a payment, the units stay held beyond it, for the `pendingSeconds` of the sale at most.',
  },
  customer: Customer,
  items: Type.Array(CartLine),
  total: Money,
  payment: Nullable(Payment),
  persisted: Type.Boolean({ description: 'Whether Postgres has it.' }),
  createdAt: Time,
}, { description: 'An order as it is now.' })
export type Order = Static<typeof Order>

export const Checkout = Strict({ customer: Customer })
export const Pay = Strict({ paymentToken: Type.String({ minLength: 1, maxLength: 200, pattern: '^[\\u0021-\\u007e]+$' }) })

/** An id that the payment provider chose: printable ASCII without spaces. */
const ProviderId = Type.String({ pattern: '^(?!-$)[\\u0021-\\u007e]{1,128}$' })

export const PaymentEvent = Type.Object({
  eventId: ProviderId,
  type: Type.Unsafe<'payment.succeeded' | 'payment.failed'>(Type.String({ enum: ['payment.succeeded', 'payment.failed'] })),
  orderId: ProviderId,
  paymentId: ProviderId,
  amount: Integer(0, maxAmount),
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
})
export type PaymentEvent = Static<typeof PaymentEvent>
export const PaymentEventHeaders = Type.Object({ 'payment-signature': Type.Optional(Type.String({ maxLength: 1_024 })) })
export const EventReceived = Strict({ received: Type.Literal(true) }, { description: 'The event is applied.' })

// --- Operator --------------------------------------------------------------------------------------

export const PutItem = Strict({
  name: Text(200),
  description: Type.Optional(Type.String({ maxLength: 1_000, pattern: prosePattern })),
  price: Money,
  quantity: Type.Optional(Integer(0, maxQuantity)),
})
export type PutItem = Static<typeof PutItem>

export const CatalogueItem = Strict({
  sku: ClientId,
  name: Type.String(),
  description: Type.String(),
  price: Money,
  quantity: { ...Count, description: 'Units of the store, whatever its sales may sell of them.' },
}, { description: 'An item of the catalogue.' })
export type CatalogueItem = Static<typeof CatalogueItem>

export const Adjust = Strict({
  delta: Type.Integer({ minimum: -maxQuantity, maximum: maxQuantity, not: { const: 0 } }),
  reason: Text(200),
  saleId: Type.Optional(ClientId),
})
export type Adjust = Static<typeof Adjust>

export const Adjustment = Strict({
  adjustmentId: Type.String(),
  sku: ClientId,
  saleId: Nullable(ClientId),
  delta: Type.Integer(),
  reason: Type.String(),
}, { description: 'Units that came or went, once.' })
export type Adjustment = Static<typeof Adjustment>

export const PublishSale = Strict({
  saleId: ClientId,
  name: Text(200),
  startsAt: Type.Optional(TimeInput),
  endsAt: Type.Optional(TimeInput),
  holdAt: Type.Optional(HoldAt),
  holdSeconds: Type.Optional(Integer(1, longestHoldSeconds)),
  maxHoldSeconds: Type.Optional(Integer(1, longestSeconds)),
  paymentSeconds: Type.Optional(Integer(1, longestSeconds)),
  pendingSeconds: Type.Optional(Integer(1, longestSeconds)),
  lowStockAt: Type.Optional(Integer(0, maxQuantity)),
  items: Type.Array(
    Strict({
      sku: ClientId,
      price: Type.Optional(Money),
      allocation: Integer(0, maxQuantity),
      maxPerCart: Type.Optional(Quantity),
    }),
    { minItems: 1, maxItems: maxSaleItems },
  ),
})
export type PublishSale = Static<typeof PublishSale>

/** What a sale does where its publisher said nothing; times in seconds. */
export const saleDefaults = {
  holdAt: 'cart',
  holdSeconds: 600,
  maxHoldSeconds: 1_800,
  paymentSeconds: 600,
  pendingSeconds: 900,
  lowStockAt: 5,
} as const

export const AuditReport = Strict({
  ok: Type.Boolean(),
  checkedAt: Time,
  items: Type.Array(Strict({
    sku: ClientId,
    allocation: Type.Integer(),
    available: Type.Integer(),
    held: Type.Integer(),
    sold: Type.Integer(),
    persisted: Type.Integer(),
    inFlight: Type.Integer(),
  })),
  violations: Type.Array(Strict({ rule: Type.String(), sku: Type.Optional(ClientId), detail: Type.String() })),
}, { description: 'Every unit of a sale, and which promises are broken, if any.' })
export type AuditReport = Static<typeof AuditReport>

/** Cumulative since the processes started; a smaller number than before says that one was started again. */
const Total = Type.Integer({ minimum: 0 })

export const SaleFigures = Strict({
  readAt: { ...Time, description: 'When everything but the items was read: at most a second ago. Rates come from the differences of two answers and of their times' },
  items: Type.Array(Strict({
    sku: ClientId,
    allocation: Type.Integer(),
    available: Type.Integer(),
    inCarts: Type.Integer(),
    inOrders: Type.Integer(),
    sold: Type.Integer(),
  }), {
    description: 'Units as the sale’s counters stand, read for this answer. `inOrders` are those of unpaid orders. Under `holdAt: checkout` those in carts '
      + 'are wanted, not held. What has lapsed counts until it is given back, a moment later',
  }),
  outbox: {
    ...Nullable(Strict({ entries: Count, oldestSeconds: Type.Number({ minimum: 0 }), persistedOrders: Count })),
    description: 'What the sale has for Postgres and Postgres lacks, how long the oldest of it has waited, and the paid orders that Postgres has; null where Redis did not say in time',
  },
  holds: Strict({
    taken: Total,
    refused: Type.Array(Strict({ code: Type.String(), count: Total })),
  }, { description: 'Requests for units that were answered since the API was started, for all sales together' }),
  payments: Strict({ succeeded: Total, pending: Total, declined: Total }, {
    description: 'Calls that pay, by their answer, for all sales together; one that is repeated counts again, and events of the provider are not among them',
  }),
  latency: Type.Array(Strict({
    call: Type.Unsafe<'hold' | 'checkout' | 'payment'>(Type.String({ enum: ['hold', 'checkout', 'payment'] })),
    count: Total,
    buckets: Type.Array(Strict({ atMostSeconds: Type.Number({ minimum: 0 }), count: Total })),
  }), { description: 'From the headers of a request to the end of its answer, as a cumulative histogram; `count` has the slower ones as well' }),
}, { description: 'Figures of a sale, for drawing them over time.' })
export type SaleFigures = Static<typeof SaleFigures>

// --- Operations ------------------------------------------------------------------------------------

export const Health = Strict({ status: Type.Literal('ok') }, { description: 'The process answers.' })
export const Readiness = Strict({
  status: Type.Unsafe<'ready' | 'degraded' | 'unavailable'>(Type.String({ enum: ['ready', 'degraded', 'unavailable'] })),
  redis: Type.Boolean(),
  postgres: Type.Boolean(),
  worker: Type.Boolean(),
  deadOrders: Type.Optional(Type.Integer({ minimum: 0, description: 'Orders that Postgres refused and that wait for an operator' })),
}, { description: 'What serves, and what is missing.' })

// --- Parameters ------------------------------------------------------------------------------------

/** A capability: carries its sale, shard and epoch; a malformed one is simply not found. */
const Capability = Type.String()
export const SaleParams = Type.Object({ saleId: ClientId })
export const SaleItemParams = Type.Object({ saleId: ClientId, sku: ClientId })
export const ItemParams = Type.Object({ sku: ClientId })
export const CartParams = Type.Object({ cartId: Capability })
export const CartLineParams = Type.Object({ cartId: Capability, sku: ClientId })
export const OrderParams = Type.Object({ orderId: Capability })
