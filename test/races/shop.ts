/** A shop of real processes, and the calls that its customers, its provider and its operator make. */
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import type { Cart, LineRequest, Order, PaymentEvent, PublishSale, Sale } from '../../src/contract.js'
import { signBody } from '../../src/payments/webhook.js'
import type { Problem } from '../../src/problems.js'
import { freshDatabase } from '../postgres.js'
import { freshRedis } from '../redis.js'
import { adminToken, type Api, atWork, type Running, startApi, startWorker, type Stores, until, webhookSecret } from './processes.js'

/** An answer: a value where it is a good one, else a problem. */
export interface Answer<T> {
  readonly status: number
  readonly value: T | null
  readonly problem: Problem | null
  /** When the request left, by `performance.now()`. */
  readonly sentAt: number
}

export interface CallOptions {
  readonly body?: object
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

export async function call<T>(method: string, url: string, { body, headers, signal }: CallOptions = {}): Promise<Answer<T>> {
  const sentAt = performance.now()
  const response = await fetch(url, {
    method,
    headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
    ...(body && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  })
  const text = await response.text()
  const parsed: unknown = text === '' ? null : JSON.parse(text)
  // The routes' own schemas have written it.
  return response.ok
    ? { status: response.status, value: parsed as T, problem: null, sentAt }
    : { status: response.status, value: null, problem: parsed as Problem, sentAt }
}

/** @returns what an answer gives @throws where it is a refusal */
export function good<T>({ status, value, problem }: Answer<T>): T {
  if (value === null) throw new Error(`refused with ${status}: ${JSON.stringify(problem)}`)
  return value
}

export const customer = {
  name: 'Zoë "Z" O’Neil',
  email: 'zoe@example.com',
  address: { line1: '1 Quay', city: 'Köln', postalCode: '50667', country: 'DE' },
}

export const openCart = (api: string, saleId: string, items: readonly LineRequest[], key?: string, signal?: AbortSignal) =>
  call<Cart>('POST', `${api}/v1/sales/${saleId}/carts`, {
    body: { items },
    ...(key !== undefined && { headers: { 'idempotency-key': key } }),
    ...(signal && { signal }),
  })
export const setLine = (api: string, cartId: string, sku: string, quantity: number) =>
  call<Cart>('PUT', `${api}/v1/carts/${cartId}/items/${sku}`, { body: { quantity } })
export const readCart = (api: string, cartId: string) => call<Cart>('GET', `${api}/v1/carts/${cartId}`)
export const removeCart = (api: string, cartId: string) => call<null>('DELETE', `${api}/v1/carts/${cartId}`)
export const checkOut = (api: string, cartId: string) => call<Order>('POST', `${api}/v1/carts/${cartId}/checkout`, { body: { customer } })
export const pay = (api: string, orderId: string, paymentToken: string) =>
  call<Order>('POST', `${api}/v1/orders/${orderId}/payments`, { body: { paymentToken } })
export const readOrder = (api: string, orderId: string) => call<Order>('GET', `${api}/v1/orders/${orderId}`)
export const cancelOrder = (api: string, orderId: string) => call<null>('DELETE', `${api}/v1/orders/${orderId}`)

/** Asks again while the outcome is not known: only for what may be asked twice. */
export const patiently = <T>(ask: () => Promise<Answer<T>>): Promise<Answer<T>> => until('an answer', async () => {
  const answer = await ask()
  return answer.status !== 503 && answer
})

/** Makes so many orders of one unit each, all at once, over all the processes. */
export function order(apis: readonly string[], saleId: string, sku: string, count: number): Promise<Order[]> {
  return Promise.all(Array.from({ length: count }, async (_, i) => {
    const api = apis[i % apis.length]!
    const { cartId } = good(await openCart(api, saleId, [{ sku, quantity: 1 }]))
    return good(await checkOut(api, cartId))
  }))
}

/** Makes so many orders of one unit each, and pays for them. @returns them paid */
export async function buy(apis: readonly string[], saleId: string, sku: string, count: number): Promise<Order[]> {
  const orders = await order(apis, saleId, sku, count)
  return Promise.all(orders.map(async ({ orderId }, i) => good(await pay(apis[i % apis.length]!, orderId, 'tok_ok'))))
}

/** Tells of a payment as the provider does: signed. */
export function tell(api: string, event: PaymentEvent): Promise<Answer<{ received: true }>> {
  const signature = signBody(JSON.stringify(event), webhookSecret, Math.floor(Date.now() / 1_000))
  return call('POST', `${api}/v1/payments/events`, { body: event, headers: { 'payment-signature': signature } })
}

/** What `readyz` says. */
export async function readiness(api: string): Promise<{ status: number; redis: boolean; postgres: boolean; worker: boolean }> {
  const { status, value, problem } = await call<object>('GET', `${api}/readyz`)
  // The same three words, in a good answer as in a problem.
  return { ...((value ?? problem) as { redis: boolean; postgres: boolean; worker: boolean }), status }
}

export interface Shop {
  readonly redis: Redis
  readonly stores: Stores
  /** The addresses of its API processes. */
  readonly apis: readonly [string, ...string[]]
  readonly processes: readonly Api[]
  readonly workers: readonly Running[]
}

/** Opens a shop on a Redis database and a Postgres database of its own, its processes ready. */
export async function openShop(t: Test, { apis = 1, workers = 0 }: { apis?: number; workers?: number } = {}): Promise<Shop> {
  const { redis, url: redisUrl } = await freshRedis(t)
  const stores = { redisUrl, databaseUrl: await freshDatabase(t) }
  const started = Array.from({ length: workers }, () => startWorker(t, stores))
  const processes = await Promise.all(Array.from({ length: apis }, () => startApi(t, stores)))
  await Promise.all([...started.map(atWork), ...processes.map(({ url }) => ready(url))])
  return { redis, stores, processes, workers: started, apis: processes.map(({ url }) => url) as [string, ...string[]] }
}

export const ready = (api: string): Promise<true> => until(`${api} is ready`, async () => (await readiness(api)).status === 200)

/** An item that a sale sells. */
export interface Ware {
  readonly sku: string
  /** Units in the store; the sale may have fewer. */
  readonly quantity: number
  readonly allocation: number
  readonly price: number
  readonly maxPerCart?: number
}

export const ware = (sku: string, allocation: number, more: Partial<Ware> = {}): Ware => ({ sku, allocation, quantity: allocation, price: 1_999, ...more })

const operator = { authorization: `Bearer ${adminToken}` }

/** Puts wares into the catalogue and publishes a sale of them, open at once. */
export async function publish(api: string, wares: readonly Ware[], more: Partial<PublishSale> = {}): Promise<Sale> {
  for (const { sku, quantity, price } of wares) {
    const body = { name: `Item ${sku}`, price: { amount: price, currency: 'USD' }, quantity }
    good(await call('PUT', `${api}/v1/admin/items/${sku}`, { body, headers: operator }))
  }
  const items = wares.map(({ sku, allocation, maxPerCart }) => ({ sku, allocation, ...(maxPerCart !== undefined && { maxPerCart }) }))
  const body = { saleId: 'friday', name: 'Friday', ...more, items }
  return good(await call<Sale>('POST', `${api}/v1/admin/sales`, { body, headers: operator }))
}
