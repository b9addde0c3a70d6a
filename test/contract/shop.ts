/**
 * A shop of its own for a test file: the whole API around a real engine, a real database and the sandbox provider, called
 * without a socket. Every answer is held against the OpenAPI document.
 */
import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { type AppDeps, buildApp } from '../../src/app.js'
import type { Cart, CatalogueItem, Order, Sale, SaleItem } from '../../src/contract.js'
import { type Database, openDatabase } from '../../src/database.js'
import { connect, createEngine, type Engine } from '../../src/engine/engine.js'
import { newLocalId } from '../../src/ids.js'
import { type Shard, strayShard } from '../../src/keys.js'
import { createLogger } from '../../src/log.js'
import { createMetrics } from '../../src/metrics.js'
import type { PaymentProvider } from '../../src/payments/provider.js'
import { createSandbox } from '../../src/payments/sandbox.js'
import { signBody } from '../../src/payments/webhook.js'
import { askAboutAttempts } from '../../workers/attempts.js'
import { certifyClosed } from '../../workers/certify.js'
import { persist } from '../../workers/persist.js'
import { jobBound, outstandingBound } from '../../workers/relay.js'
import { sweep } from '../../workers/sweep.js'
import { freshDatabase } from '../postgres.js'
import { freshRedis, moveTime, setTime } from '../redis.js'
import { judge } from './openapi.js'

export const adminToken = 'operator-0123456789'
/** Two, as while one is rotated. */
export const secrets = ['whsec_new', 'whsec_old'] as const
export const settings: AppDeps['settings'] = {
  adminToken, paymentWebhookSecrets: secrets, rateLimitMax: 0, trustProxy: [], corsOrigins: [],
}

export const usd = (amount: number) => ({ amount, currency: 'USD' })
export const newId = (prefix: string) => `${prefix}-${newLocalId().slice(0, 10)}`
export const customer = {
  name: 'Zoë "Z" O’Neil \\',
  email: 'zoe@example.com',
  phone: '+49 221 1234',
  address: { line1: '{1, Main St}', line2: 'Flat 2', city: 'Köln', region: 'NRW', postalCode: '50667', country: 'DE' },
}
/** What the store has of every item that a sale here sells, where a test makes none itself. */
export const plenty = 100_000_000

export interface Reply<T> {
  readonly status: number
  readonly text: string
  /** What a success says; a refusal is read by `refused`. */
  readonly body: T
  header(name: string): string | undefined
}
export interface CallOptions {
  /** An object goes as JSON, text as it is. */
  readonly body?: object | string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD' | 'OPTIONS'
export type Lines = Readonly<Record<string, number>>

export interface ItemSetup {
  readonly allocation?: number
  readonly price?: { amount: number; currency: string }
  readonly maxPerCart?: number
}
export interface SaleSetup {
  readonly items?: Readonly<Record<string, number | ItemSetup>>
  readonly [field: string]: unknown
}
export interface PaymentEventSetup {
  readonly type?: string
  readonly orderId: string
  readonly paymentId?: string
  readonly amount?: number
  readonly currency?: string
  readonly [field: string]: unknown
}

export interface Stores {
  readonly redis: Redis
  readonly redisUrl: string
  readonly engine: Engine
  readonly database: Database
  readonly databaseUrl: string
  readonly provider: PaymentProvider
  readonly metrics: ReturnType<typeof createMetrics>
}

/** @returns an engine and a provider on a Redis, which may be away */
export function engineOn(t: Test, url: string, database: Database): Pick<Stores, 'engine' | 'provider' | 'metrics'> & { ready: Promise<void> } {
  const metrics = createMetrics()
  const connection = connect({ url, durability: 'checked', log: createLogger('silent'), onUnfit: (error) => t.fail(error.message) })
  t.teardown(() => connection.close())
  const engine = createEngine({ connection, nothingPublished: async () => !(await database.anySale()), onBatch: metrics.batch })
  const provider = createSandbox(connection.usable, { production: false, warn: (message) => t.fail(message) })
  return { engine, provider, metrics, ready: connection.ready }
}

export function databaseOn(t: Test, url: string): Database {
  const database = openDatabase(url)
  t.teardown(() => database.close())
  return database
}

/**
 * @param reach the address by which the shop reaches the Redis at an address: `redis` itself looks straight at it
 * @param server the address of a Redis, where it is not the one that all tests share
 */
export async function openStores(t: Test, reach = (redisUrl: string) => redisUrl, server?: string): Promise<Stores> {
  const databaseUrl = await freshDatabase(t)
  const database = databaseOn(t, databaseUrl)
  const { redis, url } = await freshRedis(t, server)
  const { ready, ...engine } = engineOn(t, reach(url), database)
  await ready
  return { redis, redisUrl: url, database, databaseUrl, ...engine }
}

/** Calls an app as its clients do. */
export type Call = <T = unknown>(method: Method, url: string, options?: CallOptions) => Promise<Reply<T>>

/** @returns an app, one of several that may stand around the same stores, with `changed` settings and metrics of its own */
export async function openApp(
  t: Test,
  { engine, database, provider, logger, watching, openBoard }: Omit<AppDeps, 'settings' | 'metrics'>,
  changed: Partial<AppDeps['settings']> = {},
  metrics = createMetrics(),
): Promise<{ app: FastifyInstance; call: Call }> {
  const app = await buildApp({ engine, database, provider, metrics, ...(logger && { logger }), ...(watching && { watching }), ...(openBoard && { openBoard }), settings: { ...settings, ...changed } })
  t.teardown(() => app.close())
  await app.ready()
  const judged = await judge(app)
  const call: Call = async <T>(method: Method, url: string, { body, headers = {} }: CallOptions = {}): Promise<Reply<T>> => {
    const raw = typeof body === 'string' || Buffer.isBuffer(body)
    const response = await app.inject({
      method, url,
      headers: raw ? { 'content-type': 'application/json', ...headers } : headers,
      ...(body === undefined ? {} : { payload: body }),
    })
    const { statusCode: status, payload: text } = response
    const type = String(response.headers['content-type'] ?? '')
    const fault = method === 'HEAD' || method === 'OPTIONS' ? null : judged(method, url, status, type, text)
    if (fault !== null && !/^\/(docs|openapi\.json)/.test(url)) t.fail(fault)
    return {
      status, text,
      body: (type.includes('json') && text !== '' ? JSON.parse(text) : undefined) as T,
      header: (name) => response.headers[name]?.toString(),
    }
  }
  return { app, call }
}

export async function openShop(t: Test, reach?: (redisUrl: string) => string, server?: string) {
  const stores = await openStores(t, reach, server)
  const { redis, engine, database, provider } = stores
  const { app, call } = await openApp(t, stores, {}, stores.metrics)
  const log = createLogger('silent')
  const shardOf = (saleId: string): Shard => ({ saleId, shard: 0 })
  const listed = (lines: Lines) => Object.entries(lines).map(([sku, quantity]) => ({ sku, quantity }))

  /** @returns the body of an answer that has to be a success */
  function expect<T>(reply: Reply<T>, ...statuses: number[]): T {
    if (!statuses.includes(reply.status)) throw new Error(`not ${statuses.join(' or ')}: ${reply.status} ${reply.text}`)
    return reply.body
  }

  const operator = <T>(method: Method, url: string, body?: object | string, headers: Record<string, string> = {}) =>
    call<T>(method, `/v1/admin${url}`, {
      ...(body === undefined ? {} : { body }), headers: { authorization: `Bearer ${adminToken}`, ...headers },
    })

  const shop = {
    ...stores, app, call, operator,

    // --- Operator ---
    putItem: async (sku: string, quantity = plenty, price = usd(2_500)) =>
      expect(await operator<CatalogueItem>('PUT', `/items/${sku}`, { name: `Item ${sku}`, description: 'As pictured', price, quantity }), 200, 201),
    stored: async (sku: string) => expect(await operator<CatalogueItem>('GET', `/items/${sku}`), 200),
    askToPublish: (sale: object) => operator<Sale>('POST', '/sales', sale),
    /** Publishes a sale, open at once, of ten units of one item `A` at 25.00, where nothing else is said. @returns its id */
    async publish({ items = { A: 10 }, ...fields }: SaleSetup = {}): Promise<string> {
      for (const sku of Object.keys(items)) {
        if ((await operator('GET', `/items/${sku}`)).status === 404) await shop.putItem(sku)
      }
      const sale = {
        saleId: newId('sale'), name: 'Friday', ...fields,
        items: Object.entries(items).map(([sku, item]) => ({ sku, allocation: 10, ...(typeof item === 'number' ? { allocation: item } : item) })),
      }
      return expect(await shop.askToPublish(sale), 201).saleId
    },
    control: async (saleId: string, action: 'pause' | 'resume' | 'end') => expect(await operator<Sale>('POST', `/sales/${saleId}/${action}`), 200),

    // --- Customer ---
    sale: async (saleId: string) => expect(await call<Sale>('GET', `/v1/sales/${saleId}`), 200),
    item: async (saleId: string, sku: string) => expect(await call<SaleItem>('GET', `/v1/sales/${saleId}/items/${sku}`), 200),
    take: (saleId: string, lines: Lines, key?: string) =>
      call<Cart>('POST', `/v1/sales/${saleId}/carts`, { body: { items: listed(lines) }, ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }) }),
    cart: async (saleId: string, lines: Lines = {}) => expect(await shop.take(saleId, lines), 201),
    look: (cartId: string) => call<Cart>('GET', `/v1/carts/${cartId}`),
    set: (cartId: string, sku: string, quantity: unknown) => call<Cart>('PUT', `/v1/carts/${cartId}/items/${sku}`, { body: { quantity } }),
    checkout: (cartId: string, who: unknown = customer) => call<Order>('POST', `/v1/carts/${cartId}/checkout`, { body: { customer: who } }),
    order: async (saleId: string, lines: Lines = { A: 1 }) => expect(await shop.checkout((await shop.cart(saleId, lines)).cartId), 201),
    pay: (orderId: string, paymentToken = 'tok_ok') => call<Order>('POST', `/v1/orders/${orderId}/payments`, { body: { paymentToken } }),
    pending: async (saleId: string, lines?: Lines) => expect(await shop.pay((await shop.order(saleId, lines)).orderId, 'tok_pending'), 202),
    paid: async (saleId: string, lines?: Lines) => expect(await shop.pay((await shop.order(saleId, lines)).orderId), 200),
    read: async (orderId: string) => expect(await call<Order>('GET', `/v1/orders/${orderId}`), 200),
    cancel: (orderId: string) => call('DELETE', `/v1/orders/${orderId}`),

    // --- Provider ---
    /** A signed event: a success of one unit's price, where nothing else is said. */
    event: ({ orderId, ...event }: PaymentEventSetup, sign: { secret?: string; atSeconds?: number; header?: string | null } = {}) => {
      const body = JSON.stringify({
        eventId: newId('evt'), type: 'payment.succeeded', paymentId: newId('pay'), amount: 2_500, currency: 'USD', orderId, ...event,
      })
      const header = sign.header === undefined
        ? signBody(body, sign.secret ?? secrets[0], sign.atSeconds ?? Math.floor(Date.now() / 1_000))
        : sign.header
      return call('POST', '/v1/payments/events', { body, headers: header === null ? {} : { 'payment-signature': header } })
    },

    // --- Workers, one turn of each ---
    /** Takes everything that the outbox of a sale holds to Postgres. @returns the number of entries */
    async drain(saleId: string = strayShard.saleId): Promise<number> {
      let drained = 0
      for (;;) {
        const range = await engine.claim(shardOf(saleId), jobBound, outstandingBound)
        if (range === null) return drained
        await persist({ engine, database, provider, log }, { ...shardOf(saleId), first: range.first, last: range.last })
        drained += range.count
      }
    },
    sweep: (saleId: string) => sweep(engine, database, new Set(), shardOf(saleId), (closed) => certifyClosed(engine, database, closed)),
    async askProvider(saleId: string): Promise<number> {
      const { count, answered } = await askAboutAttempts(engine, provider, log, shardOf(saleId))
      await answered
      return count
    },

    // --- Time ---
    later: (saleId: string, seconds: number) => moveTime(redis, saleId, seconds * 1_000),
    /** Sets a sale's time to so many seconds after a noon ahead of all clocks; there it stands still. */
    at: (saleId: string, seconds: number) => setTime(redis, saleId, noon + seconds * 1_000),
  }
  return shop
}

const noon = Date.UTC(2100, 0, 1, 12)
/** @returns RFC 3339, so many seconds after that noon */
export const timeAt = (seconds: number) => new Date(noon + seconds * 1_000).toISOString()
export const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
