/**
 * The calls of the contract that take a body, each with one that it accepts. So a test can say what is off about it,
 * and that nothing else was.
 */
import { signBody } from '../../src/payments/webhook.js'
import { runOn } from '../postgres.js'
import { dump } from '../redis.js'
import { adminToken, customer, newId, type openShop, type Reply, secrets, usd } from './shop.js'

type Shop = Awaited<ReturnType<typeof openShop>>
type Headers = Readonly<Record<string, string>>

export interface BodyCall {
  readonly name: string
  /** What it accepts, once. */
  readonly body: object
  /** Of its success. */
  readonly status: number
  /** Sends a body, or none, with all credentials. */
  send(body: string | Buffer | undefined, headers?: Headers): Promise<Reply<unknown>>
}

/** @returns the calls, in a sale that is open, on a cart and orders that are ready for them */
export async function bodyCalls(shop: Shop): Promise<BodyCall[]> {
  const saleId = await shop.publish({ items: { A: { allocation: 100, maxPerCart: 5 } } })
  const [filled, left] = [await shop.cart(saleId, { A: 1 }), await shop.cart(saleId, { A: 1 })]
  const [unpaid, pending] = [await shop.order(saleId), await shop.pending(saleId)]
  const operator = () => ({ authorization: `Bearer ${adminToken}` })
  const signed = (body: string | Buffer) => ({ 'payment-signature': signBody(body, secrets[0], Math.floor(Date.now() / 1_000)) })

  const call = (name: string, status: number, method: 'POST' | 'PUT', url: string, body: object, credentials: (body: string | Buffer) => Headers = () => ({})): BodyCall => ({
    name, body, status,
    send: (sent, headers = {}) =>
      shop.call(method, url, { ...(sent === undefined ? {} : { body: sent }), headers: { ...credentials(sent ?? ''), ...headers } }),
  })
  return [
    call('a new cart', 201, 'POST', `/v1/sales/${saleId}/carts`, { items: [{ sku: 'A', quantity: 2 }] }),
    call('a line of a cart', 200, 'PUT', `/v1/carts/${left.cartId}/items/A`, { quantity: 2 }),
    call('a checkout', 201, 'POST', `/v1/carts/${filled.cartId}/checkout`, { customer }),
    call('a payment', 200, 'POST', `/v1/orders/${unpaid.orderId}/payments`, { paymentToken: 'tok_ok' }),
    call('a payment event', 200, 'POST', '/v1/payments/events', {
      eventId: newId('evt'), type: 'payment.succeeded', orderId: pending.orderId, paymentId: pending.payment!.paymentId, amount: 2_500, currency: 'USD',
    }, signed),
    call('an item', 201, 'PUT', `/v1/admin/items/${newId('sku')}`, { name: 'Lamp', description: 'Bright', price: usd(2_500), quantity: 7 }, operator),
    call('an adjustment', 201, 'POST', '/v1/admin/items/A/adjustments', { delta: 1, reason: 'found', saleId }, operator),
    call('a sale', 201, 'POST', '/v1/admin/sales', {
      saleId: newId('sale'), name: 'Monday', startsAt: '2100-01-01T00:00:00.000Z', endsAt: '2100-01-02T00:00:00.000Z', holdAt: 'checkout',
      holdSeconds: 60, maxHoldSeconds: 90, paymentSeconds: 120, pendingSeconds: 150, lowStockAt: 7,
      items: [{ sku: 'A', price: usd(1_999), allocation: 7, maxPerCart: 2 }],
    }, operator),
  ]
}

export interface Field {
  /** As a JSON pointer. */
  readonly path: string
  readonly value: unknown
  /** @returns the body, with JSON of its own in this place: what no value of ours could say */
  readonly as: (json: string) => string
}

/** Stands where the JSON of a field will, for no other text here has it. */
const place = '\u0001here'

/** @returns every field of a body, those that hold others included */
export function fieldsOf(body: unknown, path = '', rest: (value: unknown) => unknown = (value) => value): Field[] {
  if (typeof body !== 'object' || body === null) return []
  return Object.entries(body).flatMap(([name, value]) => {
    const around = (other: unknown) => rest(Array.isArray(body) ? body.with(Number(name), other) : { ...body, [name]: other })
    const field: Field = { path: `${path}/${name}`, value, as: (json) => JSON.stringify(around(place)).replace(JSON.stringify(place), () => json) }
    return [field, ...fieldsOf(value, field.path, around)]
  })
}

/** @returns all that both stores hold, the same for the same content */
export async function written({ redis, databaseUrl }: Shop): Promise<unknown> {
  const tables = ['items', 'sales', 'sale_items', 'orders', 'order_lines', 'payments', 'adjustments', 'stock_movements', 'dead_orders']
  const rows = tables.map((table) => `(select coalesce(json_agg(r order by r::text), '[]') from ${table} r) as ${table}`)
  return { redis: await dump(redis), postgres: await runOn(databaseUrl, `select ${rows.join(', ')}`) }
}
