/** Contestants that hold units, and those that only answer as if they did. */
import { type Cart, maxQuantity } from '../src/contract.js'
import { shardKey } from '../src/keys.js'
import { type Server, scrape } from './api.js'
import type { Contestant, Load } from './contest.js'
import { DoesNotCount, mustBe } from './figures.js'
import type { Step } from './load.js'
import { countersOf, publishSale } from './shop.js'
import type { Stage } from './stage.js'

/** Requests of a round that warms up what answers tens of thousands a second. */
export const warmUp = 20_000
/** More than any run takes. */
export const openUnits = maxQuantity / 2

/** A sale of which every cart takes one unit of each item, and none is given back. */
export interface OpenSale {
  readonly saleId: string
  readonly skus: readonly string[]
  /** Carts that were answered with 201. */
  carts: number
}

export async function openSale(stage: Stage, saleId: string, skus: readonly string[]): Promise<OpenSale> {
  await publishSale(stage, saleId, skus, openUnits)
  return { saleId, skus, carts: 0 }
}

/** Where carts of a sale are made. */
export const cartsPath = (saleId: string): string => `/v1/sales/${saleId}/carts`

/** One that takes a unit of each item. */
export const cartBody = (skus: readonly string[]): string => JSON.stringify({ items: skus.map((sku) => ({ sku, quantity: 1 })) })

export const holdStep = ({ saleId, skus }: Pick<OpenSale, 'saleId' | 'skus'>): Step =>
  ({ method: 'POST', path: cartsPath(saleId), body: cartBody(skus), expected: 201 })

/** Durable holds through the API. */
export function holds(stage: Stage, name: string, api: Server, load: Load, sale: OpenSale, connections: number): Contestant {
  return {
    name,
    server: api,
    warmUp,
    run: (walks) => load.send({ address: api.address, steps: [holdStep(sale)], walks, connections }),
    counted: () => scrape(api),
    async check({ answers }) {
      sale.carts += answers
      await checkHeld(stage, sale)
    },
  }
}

/** Nothing that was answered may be missing, and nothing may be there that was not. */
export async function checkHeld(stage: Stage, { saleId, skus, carts }: OpenSale): Promise<void> {
  for (const sku of skus) {
    const counters = await countersOf(stage, saleId, sku)
    mustBe(`units of ${sku} that are held, beside the carts that were answered`, counters.held, carts)
    mustBe(`units of ${sku} that were sold`, counters.sold, 0)
  }
  mustBe(`carts of ${saleId}`, await stage.redis.hlen(shardKey({ saleId, shard: 0 }, 'carts')), carts)
}

/** Requests that are answered with a constant. */
export function empties(name: string, empty: Server, load: Load, step: Step, connections: number): Contestant {
  return {
    name,
    server: empty,
    warmUp,
    run: (walks) => load.send({ address: empty.address, steps: [step], walks, connections }),
    check: async () => undefined,
  }
}

/** Makes one cart. @returns what the API answers with, for those who answer with a constant of that shape */
export async function sampleCart(api: Server, sale: OpenSale): Promise<Cart> {
  const cart = await sample<Cart>(api, holdStep(sale))
  sale.carts += 1
  mustBe('lines of a cart', cart.items.length, sale.skus.length)
  return cart
}

export async function sample<Answer>({ address }: Server, { method, path, body, expected }: Step): Promise<Answer> {
  const response = await fetch(`${address}${path}`, { method, ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }) })
  if (response.status !== expected) throw new DoesNotCount(`${method} ${path} is answered with ${response.status}: ${await response.text()}`)
  return (await response.json()) as Answer
}
