/**
 * A sale whose scripts are asked directly, in their own words, at a time that stands still: noon, and so many seconds after.
 */
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import type { BatchedScript, Engine } from '../../src/engine/engine.js'
import { MadeAlike, runHolds } from '../../src/engine/hold-call.js'
import { runScript, type ScriptName } from '../../src/engine/scripts.js'
import { formatId, newLocalId } from '../../src/ids.js'
import { type Shard, shardKeyNames } from '../../src/keys.js'
import { assertWhole, type Counters, counters, dump, publishSale, type SaleOverrides, setTime } from '../redis.js'

export const customer = {
  name: 'Zoë "Z" O’Neil \\',
  email: 'zoe@example.com',
  address: { line1: '{1, Main St}', city: 'Köln', postalCode: '50667', country: 'DE' },
}
export const customerJson = JSON.stringify(customer)

/** Ahead of every clock, so that time stands still there. */
const noon = Date.UTC(2100, 0, 1, 12)
/** @returns Unix milliseconds, `seconds` after noon */
export const at = (seconds: number): number => noon + seconds * 1_000

/** What no script may take for a number of units. */
export const notWhole = [
  '1e3', 'nan', 'inf', '0x10', '-1', '+1', '1.5', '1,0', '', '１', String(2 ** 53 + 1), '99999999999999999999',
]

/** An order's reply, read. Times are Unix milliseconds, as the scripts' texts say them. */
export interface OrderReply {
  readonly word: string
  readonly id: string
  readonly closed: boolean
  readonly returns: string
  readonly state: string
  readonly deadline: number
  readonly payBy: number
  readonly paymentId: string
  readonly paymentStatus: string
  readonly paidAt: number
  readonly total: number
  readonly lines: string
  readonly customer: string
}

export function orderReply(reply: string): OrderReply {
  const parts = reply.split('\n')
  if (parts.length !== 4) throw new Error(`not an order: ${reply}`)
  const [first, head, lines, customerText] = parts as [string, string, string, string]
  const [word, id, closed, returns] = first.split(' ') as [string, string, string, string]
  const [state, deadline, , payBy, paymentId, paymentStatus, paidAt, , , total] = head.split(' ') as string[]
  return {
    word, id, closed: closed === '1', returns, state: state!, deadline: Number(deadline), payBy: Number(payBy),
    paymentId: paymentId!, paymentStatus: paymentStatus!, paidAt: Number(paidAt), total: Number(total), lines,
    customer: customerText,
  }
}

/** Asks hold.lua. Here a new cart stands with its request, as `C <cart> …`; the script takes it by itself. */
function hold(redis: Redis, shard: Shard, requests: readonly string[]): Promise<unknown> {
  const ids = requests.map((request) => /^C ([^ ]+)/.exec(request)?.[1] ?? newLocalId())
  return runHolds(redis, shard, requests.map((request) => request.replace(/^C [^ ]+/, 'C')), ids)
}

export interface Scene {
  readonly saleId: string
  readonly shard: Shard
  /** @returns the replies to a batch, in order */
  ask(script: BatchedScript, ...requests: string[]): Promise<string[]>
  /** @returns the reply to a batch of one */
  one(script: BatchedScript, request: string): Promise<string>
  run(script: ScriptName, ...args: (string | number)[]): Promise<unknown>
  /** Sets the time to `seconds` after noon. */
  time(seconds: number): Promise<void>
  /** Makes a cart of `sku=quantity` words. @returns its local id */
  cart(...lines: string[]): Promise<string>
  /** Makes so many carts of one unit each. @returns their local ids */
  carts(count: number, sku: string): Promise<string[]>
  /** Makes an order that awaits payment. @returns its local id */
  order(...lines: string[]): Promise<string>
  /** Makes an order whose payment `payment` is in progress. @returns its local id */
  pending(payment: string, ...lines: string[]): Promise<string>
  /** Makes an order paid with `payment`. @returns its local id */
  paid(payment: string, ...lines: string[]): Promise<string>
  /** @returns the order as a customer reads it */
  look(order: string): Promise<OrderReply>
  /** @returns the request that tells what became of a payment */
  settlement(order: string, payment: string, outcome: string, amount?: number, currency?: string): string
  settle(order: string, payment: string, outcome: string, amount?: number, currency?: string): Promise<OrderReply>
  cartId(local: string): string
  orderId(local: string): string
  counters(sku: string): Promise<Counters>
  /** Asserts a refusal, and that it has written nothing. */
  refuses(t: Test, script: BatchedScript, request: string, reply: string | RegExp): Promise<void>
  /** Asserts that `act` writes nothing, not even what is there already. @returns what it returns */
  unwritten<Result>(t: Test, act: () => Promise<Result>): Promise<Result>
  whole(t: Test): Promise<void>
  key(name: string): string
}

/** Publishes a sale, its time standing at noon. */
export async function openScene(engine: Engine, redis: Redis, overrides?: SaleOverrides): Promise<Scene> {
  const definition = await publishSale(engine, overrides)
  const { saleId } = definition
  const shard = { saleId, shard: 0 }
  const totals = new Map<string, number>()
  const price = new Map(definition.items.map(({ sku, unitAmount }) => [sku, unitAmount]))

  const scene: Scene = {
    saleId,
    shard,
    async ask(script, ...requests) {
      const replies = await (script === 'hold' ? hold(redis, shard, requests) : runScript(redis, script, shard, requests))
      if (!Array.isArray(replies)) throw new Error(String(replies))
      return replies.slice(1).map((reply) => (reply instanceof MadeAlike ? reply.words : String(reply)))
    },
    one: async (script, request) => (await scene.ask(script, request))[0]!,
    run: (script, ...args) => runScript(redis, script, shard, args),
    time: (seconds) => setTime(redis, saleId, at(seconds)),
    async cart(...lines) {
      const id = newLocalId()
      expectOk(await scene.one('hold', `C ${id} . . ${lines.join(' ')}`))
      return id
    },
    async carts(count, sku) {
      const ids = Array.from({ length: count }, newLocalId)
      for (let from = 0; from < count; from += 256) {
        const replies = await scene.ask('hold', ...ids.slice(from, from + 256).map((id) => `C ${id} . . ${sku}=1`))
        replies.forEach(expectOk)
      }
      return ids
    },
    async order(...lines) {
      const id = await scene.cart(...lines)
      expectOk(await scene.one('checkout', `1 ${id} ${customerJson}`))
      totals.set(id, lines.reduce((sum, line) => {
        const [sku, quantity] = line.split('=') as [string, string]
        return sum + Number(quantity) * price.get(sku)!
      }, 0))
      return id
    },
    async pending(payment, ...lines) {
      const id = await scene.order(...lines)
      expectOk(await scene.one('begin', `1 ${id} ${payment}`))
      return id
    },
    async paid(payment, ...lines) {
      const id = await scene.pending(payment, ...lines)
      await scene.settle(id, payment, 'succeeded')
      return id
    },
    look: async (order) => orderReply(await scene.one('read', `O 1 ${order}`)),
    settlement: (order, payment, outcome, amount = totals.get(order) ?? 0, currency = 'USD') =>
      `1 ${order} ${payment} ${outcome} ${amount} ${currency} ${scene.orderId(order)}`,
    settle: async (...payment) => orderReply(await scene.one('settle', scene.settlement(...payment))),
    cartId: (local) => formatId('c', shard, 1, local),
    orderId: (local) => formatId('o', shard, 1, local),
    counters: (sku) => counters(redis, saleId, sku),
    async refuses(t, script, request, reply) {
      const got = await scene.unwritten(t, () => scene.one(script, request))
      if (typeof reply === 'string') t.equal(got, reply)
      else t.match(got, reply)
    },
    async unwritten(t, act) {
      const before = await dump(redis)
      await redis.watch(...shardKeyNames.map((name) => scene.key(name)))
      const result = await act()
      t.not(await redis.multi().ping().exec(), null, 'and nothing was written, not even the same again')
      t.strictSame(await dump(redis), before, 'and nothing was written')
      return result
    },
    whole: (t) => assertWhole(t, redis, saleId),
    key: (name) => `fs:{${saleId}.0}:${name}`,
  }
  await scene.time(0)
  return scene
}

function expectOk(reply: string): void {
  if (!/^OK\b/.test(reply)) throw new Error(reply)
}
