/**
 * Orders and payments that are final: what Postgres knows of them, to be read.
 */
import type { CartLine, Customer, Order } from '../contract.js'
import type { Connection } from './pool.js'

interface OrderRow {
  readonly order_id: string
  readonly sale_id: string
  readonly cart_id: string
  readonly status: 'paid' | 'refunded'
  readonly total_amount: number
  readonly currency: string
  readonly customer_name: string
  readonly customer_email: string
  readonly customer_phone: string | null
  readonly customer_address: Customer['address']
  readonly payment_id: string
  readonly paid_at: Date | null
  readonly created_at: Date
  readonly refund_reason: string | null
}

interface LineRow {
  readonly sku: string
  readonly name: string
  readonly quantity: number
  readonly unit_amount: number
}

/** An order that ended paid or refunded, without live stock. `cancelled`: it was, and its money came afterwards. */
export interface StoredOrder {
  readonly order: Order
  readonly cancelled: boolean
}

/** @returns the order, or null where Postgres has none with this id */
export async function order(connection: Connection, orderId: string): Promise<StoredOrder | null> {
  const row = await findOrder(connection, orderId)
  if (!row) return null
  const lines = await orderLines(connection, orderId)
  const found: Order = {
    orderId: row.order_id,
    saleId: row.sale_id,
    cartId: row.cart_id,
    status: row.status,
    payBy: null,
    customer: {
      name: row.customer_name,
      email: row.customer_email,
      ...(row.customer_phone === null ? {} : { phone: row.customer_phone }),
      address: row.customer_address,
    },
    items: lines.map((line) => cartLine(line, row.currency)),
    total: { amount: row.total_amount, currency: row.currency },
    payment: { paymentId: row.payment_id, status: 'succeeded', paidAt: row.paid_at?.toISOString() ?? null },
    persisted: true,
    createdAt: row.created_at.toISOString(),
  }
  return { order: found, cancelled: row.refund_reason === 'cancelled' }
}

/**
 * @returns what became of the money of a payment: it paid an order, it went back, or null where Postgres has never
 * heard of it. A payment whose order could not be persisted has paid it none the less
 */
export async function knownPayment(connection: Connection, paymentId: string): Promise<'paid' | 'refunded' | null> {
  const { rows } = await connection.query<{ fate: 'paid' | 'refunded' }>(
    `select case status when 'succeeded' then 'paid' else status end as fate from payments where payment_id = $1
     union all
     select case kind when 'paid' then 'paid' else 'refunded' end from dead_orders where payment_id = $1
     limit 1`,
    [paymentId],
  )
  return rows[0]?.fate ?? null
}

/** @returns those of the payments that Postgres has never heard of */
export async function unheardOf(connection: Connection, paymentIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await connection.query<{ payment_id: string }>(
    `select payment_id from unnest($1::text[]) as asked (payment_id)
      where not exists (select from payments where payments.payment_id = asked.payment_id)
        and not exists (select from dead_orders where dead_orders.payment_id = asked.payment_id)`,
    [paymentIds],
  )
  return new Set(rows.map((row) => row.payment_id))
}

async function findOrder(connection: Connection, orderId: string): Promise<OrderRow | undefined> {
  const { rows } = await connection.query<OrderRow>(
    `select orders.order_id, sale_id, cart_id, orders.status, total_amount, orders.currency, customer_name, customer_email, customer_phone,
            customer_address, payment_id, paid_at, orders.created_at, refund_reason
       from orders left join payments using (payment_id) where orders.order_id = $1`,
    [orderId],
  )
  return rows[0]
}

async function orderLines(connection: Connection, orderId: string): Promise<LineRow[]> {
  const { rows } = await connection.query<LineRow>(
    'select sku, name, quantity, unit_amount from order_lines where order_id = $1 order by position',
    [orderId],
  )
  return rows
}

function cartLine({ sku, name, quantity, unit_amount: amount }: LineRow, currency: string): CartLine {
  return {
    sku,
    name,
    quantity,
    unitPrice: { amount, currency },
    lineTotal: { amount: amount * quantity, currency },
    stock: null,
    lowStock: false,
    mayReturnAt: null,
  }
}
