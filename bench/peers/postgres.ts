/**
 * A shop on Fastify and Postgres alone: the three steps of a purchase, each one prepared statement that commits by itself, over a pool of
 * ten connections. Server options, bodies and answers are the API's. It sells carts of one line, and knows the
 * sandbox's `tok_ok` without asking anybody: both are in its favour.
 *
 * Arguments: Postgres' URL, the sale.
 */
import { Pool, types } from 'pg'
import * as contract from '../../src/contract.js'
import { formatId, newLocalId } from '../../src/ids.js'
import { plainServer, serve } from './server.js'
import { checkOut, payOrder, takeUnits } from './tables.js'

const [databaseUrl = '', saleId = ''] = process.argv.slice(2)
const shard = { saleId, shard: 0 }
// Counts and amounts are far below 2^53.
types.setTypeParser(types.builtins.INT8, Number)
// Each statement is planned once, by the primary keys: what a small table suggests is no good once it has grown.
const options = ['plan_cache_mode=force_generic_plan', 'enable_seqscan=off', 'enable_hashjoin=off', 'enable_mergejoin=off'].map((setting) => `-c ${setting}`).join(' ')
const pool = new Pool({ connectionString: databaseUrl, max: 10, options })
pool.on('error', (error) => console.error(error))

interface LineRow {
  readonly sku: string
  readonly name: string
  readonly quantity: number
  readonly unit_amount: number
  readonly currency: string
  readonly allocation: number
  readonly available: number
}

function lineOf({ sku, name, quantity, unit_amount, currency, allocation, available }: LineRow): contract.CartLine {
  return {
    sku,
    name,
    quantity,
    unitPrice: { amount: unit_amount, currency },
    lineTotal: { amount: unit_amount * quantity, currency },
    stock: { quantity: allocation, available, inOtherCarts: allocation - available - quantity },
    lowStock: available <= 5,
    mayReturnAt: null,
  }
}

const app = plainServer()

interface Taken extends Omit<LineRow, 'quantity' | 'unit_amount'> {
  readonly price_amount: number
  readonly expires_at: Date
}

app.post<{ Body: { items: contract.LineRequest[] } }>('/v1/sales/:saleId/carts', { schema: { body: contract.CreateCart, response: { 201: contract.Cart } } }, async (request, reply) => {
  const [line] = request.body.items
  const { sku, quantity } = line!
  const cartId = formatId('c', shard, 1, newLocalId())
  const { rows: [taken] } = await pool.query<Taken>({ name: 'take-units', text: takeUnits, values: [sku, quantity, cartId] })
  if (taken === undefined) {
    reply.statusCode = 409
    return { code: 'insufficient_stock' }
  }
  reply.statusCode = 201
  return {
    cartId,
    saleId,
    status: 'open',
    expiresAt: taken.expires_at.toISOString(),
    items: [lineOf({ ...taken, quantity, unit_amount: taken.price_amount })],
    total: { amount: taken.price_amount * quantity, currency: taken.currency },
    orderId: null,
  }
})

interface Made extends LineRow {
  readonly total_amount: number
  readonly pay_by: Date
  readonly created_at: Date
}

app.post<{ Params: { cartId: string }; Body: { customer: contract.Customer } }>('/v1/carts/:cartId/checkout', {
  schema: { params: contract.CartParams, body: contract.Checkout, response: { 201: contract.Order } },
}, async (request, reply) => {
  const { cartId } = request.params
  const { customer } = request.body
  const orderId = formatId('o', shard, 1, newLocalId())
  const { rows: [made] } = await pool.query<Made>({ name: 'check-out', text: checkOut, values: [cartId, orderId, customer] })
  if (made === undefined) {
    reply.statusCode = 410
    return { code: 'cart_expired' }
  }
  reply.statusCode = 201
  return {
    orderId,
    saleId,
    cartId,
    status: 'awaiting_payment',
    payBy: made.pay_by.toISOString(),
    customer,
    items: [lineOf(made)],
    total: { amount: made.total_amount, currency: made.currency },
    payment: null,
    persisted: true,
    createdAt: made.created_at.toISOString(),
  }
})

interface Paid extends LineRow {
  readonly cart_id: string
  readonly total_amount: number
  readonly customer: contract.Customer
  readonly paid_at: Date
  readonly created_at: Date
}

app.post<{ Params: { orderId: string }; Body: { paymentToken: string } }>('/v1/orders/:orderId/payments', {
  schema: { params: contract.OrderParams, body: contract.Pay, response: { 200: contract.Order } },
}, async (request, reply) => {
  const { orderId } = request.params
  if (request.body.paymentToken !== 'tok_ok') {
    reply.statusCode = 402
    return { code: 'payment_declined' }
  }
  const paymentId = formatId('p', shard, 1, newLocalId())
  const { rows: [paid] } = await pool.query<Paid>({ name: 'pay-order', text: payOrder, values: [orderId, paymentId] })
  if (paid === undefined) {
    reply.statusCode = 410
    return { code: 'order_expired' }
  }
  return {
    orderId,
    saleId,
    cartId: paid.cart_id,
    status: 'paid',
    payBy: null,
    customer: paid.customer,
    items: [lineOf(paid)],
    total: { amount: paid.total_amount, currency: paid.currency },
    payment: { paymentId, status: 'succeeded', paidAt: paid.paid_at.toISOString() },
    persisted: true,
    createdAt: paid.created_at.toISOString(),
  }
})

// Connections are there before the first request, as after any warm-up.
await Promise.all(Array.from({ length: 10 }, () => pool.query('select 1')))
await serve(app)
