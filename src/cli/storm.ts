/**
 * `npm run storm`: plays a whole sale against a running engine, in the sandbox: the rehearsal of the day before. Buyers arrive in a spike, ask again
 * where an outcome is not known, abandon carts and have cards declined; in the end it says what was sold and refused, how long each step took, and what
 * the audit says.
 *
 * ADMIN_TOKEN is needed for the audit.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { AuditReport, Sale } from '../contract.js'
import { columns } from './columns.js'
import { buy, type Outcome, outcomeWords } from './storm/buyer.js'
import { openShop, type Shop } from './storm/shop.js'

/** How long paid orders may take to reach Postgres once the last buyer has left, in ms. */
const persistedMs = 60_000
const progressMs = 1_000
/** The mean of the time at which buyers come, of the whole time. */
const spikeShare = 0.2

const usage = 'npm run storm -- [--buyers 20000] [--url http://127.0.0.1:3000] [--sale 12-12] [--seconds 30] [--connections 256] [--seed 1]'

/** It cannot be played; the message is for whoever started it. */
class StormError extends Error {}

interface Options {
  readonly url: URL
  readonly saleId: string | undefined
  readonly buyers: number
  readonly seconds: number
  readonly connections: number
  readonly seed: number
}

try {
  process.exitCode = await main(readOptions())
} catch (error) {
  console.error(error instanceof StormError ? error.message : error)
  process.exitCode = 1
}

async function main({ url, saleId, buyers, seconds, connections, seed }: Options): Promise<number> {
  const shop = openShop(url, connections)
  try {
    const sale = await findSale(shop, saleId)
    console.log(`${buyers} buyers come to ${sale.name} (${sale.saleId}) in ${seconds} s, half of them in the first ${(seconds * Math.LN2 * spikeShare).toFixed(1)} s. SEED=${seed}`)
    const outcomes = new Map<Outcome, number>()
    const from = performance.now()
    const progress = setInterval(() => console.log(progressLine(shop, outcomes, buyers, performance.now() - from)), progressMs)
    const random = dice(seed)
    const skus = sale.items!.map(({ sku }) => sku)
    await Promise.all(arrivals(buyers, seconds * 1_000, random).map(async (atMs) => {
      await pause(atMs)
      const outcome = await buy({ shop, saleId: sale.saleId, skus, random })
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    })).finally(() => clearInterval(progress))
    console.log(progressLine(shop, outcomes, buyers, performance.now() - from))
    console.log(`\n${table(shop)}\n`)
    console.log(soldTable(sale, await findSale(shop, sale.saleId)))
    return await tellAudit(shop, sale.saleId)
  } finally {
    shop.close()
  }
}

/** @returns when each buyer comes, in ms: most of them at once, and then fewer and fewer */
function arrivals(buyers: number, withinMs: number, random: () => number): number[] {
  return Array.from({ length: buyers }, () => Math.min(withinMs, -Math.log(1 - random()) * spikeShare * withinMs))
}

/** The same numbers for the same seed (a linear congruential generator, the constants of Numerical Recipes). */
function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

async function findSale(shop: Shop, saleId: string | undefined): Promise<Sale> {
  let found = saleId
  if (found === undefined) {
    const { status, body } = await shop.once({ method: 'GET', path: '/v1/sales' })
    if (status !== 200) throw new StormError(status === 0 ? `No engine answers at ${shop.address}.` : `The engine answers ${status}: ${String(body['detail'])}`)
    found = (body as unknown as { sales: Sale[] }).sales.find(({ status: state }) => state === 'open')?.saleId
    if (found === undefined) throw new StormError('No sale is open there.')
  }
  const { status, body } = await shop.once({ method: 'GET', path: `/v1/sales/${encodeURIComponent(found)}` })
  if (status === 0) throw new StormError(`No engine answers at ${shop.address}.`)
  if (status !== 200) throw new StormError(`The sale ${found} cannot be had: ${String(body['detail'])}`)
  return body as unknown as Sale
}

function progressLine(shop: Shop, outcomes: ReadonlyMap<Outcome, number>, buyers: number, elapsedMs: number): string {
  const done = [...outcomes.values()].reduce((sum, count) => sum + count, 0)
  const again = [...shop.steps.values()].reduce((sum, step) => sum + step.again, 0)
  const words = outcomeWords.map((outcome) => `${outcomes.get(outcome) ?? 0} ${outcome}`)
  return `${(elapsedMs / 1_000).toFixed(0).padStart(4)} s  ${done} of ${buyers} buyers are through: ${words.join(', ')}; ${again} calls repeated`
}

function table(shop: Shop): string {
  const ms = (microseconds: number) => (microseconds / 1_000).toFixed(1)
  return columns(['step', 'calls', 'p50 ms', 'p99 ms', 'most ms', 'answers'], [...shop.steps].map(([name, { latency, answers }]) => [
    name,
    latency.count,
    ms(latency.percentile(50)),
    ms(latency.percentile(99)),
    ms(latency.max),
    [...answers].toSorted((a, b) => b[1] - a[1]).map(([word, count]) => `${word} ${count}`).join(', '),
  ]))
}

function soldTable(before: Sale, after: Sale): string {
  const left = new Map(after.items!.map(({ sku, stock }) => [sku, stock]))
  return columns(['item', 'there were', 'sold', 'left', 'of them in carts'], before.items!.map(({ sku, stock: { quantity } }) => {
    const now = left.get(sku)!
    return [sku, quantity, quantity - now.quantity, now.quantity, now.inCarts]
  }))
}

/** @returns the code that the process ends with: 1 where a promise is broken, or nobody can say */
async function tellAudit(shop: Shop, saleId: string): Promise<number> {
  const token = process.env['ADMIN_TOKEN']
  if (!token) {
    console.log('\nNo audit: set ADMIN_TOKEN to have one.')
    return 0
  }
  const deadline = performance.now() + persistedMs
  for (;;) {
    const { status, body } = await shop.once({ method: 'GET', path: `/v1/admin/sales/${saleId}/audit`, headers: { authorization: `Bearer ${token}` } })
    if (status !== 200) throw new StormError(`The audit cannot be had: ${status === 0 ? 'no answer' : String(body['detail'])}`)
    const report = body as unknown as AuditReport
    const sold = report.items.reduce((sum, item) => sum + item.sold, 0)
    const waiting = report.items.reduce((sum, item) => sum + item.inFlight, 0)
    if (report.ok && waiting > 0 && performance.now() < deadline) {
      await pause(progressMs / 4)
      continue
    }
    for (const { rule, sku, detail } of report.violations) console.log(`${rule}${sku === undefined ? '' : ` ${sku}`}: ${detail}`)
    console.log(`\nThe audit ${report.ok ? 'holds' : `finds ${report.violations.length} violations`}: ${sold} units sold, ${waiting} of them not in Postgres yet.`)
    return report.ok ? 0 : 1
  }
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        url: { type: 'string', default: 'http://127.0.0.1:3000' },
        sale: { type: 'string' },
        buyers: { type: 'string', default: '20000' },
        seconds: { type: 'string', default: '30' },
        connections: { type: 'string', default: '256' },
        seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      },
    })
    if (!URL.canParse(values.url) || !/^https?:$/.test(new URL(values.url).protocol)) throw new StormError('--url takes an address that starts with http:// or https://')
    return {
      url: new URL(values.url),
      saleId: values.sale,
      buyers: whole('--buyers', values.buyers, 1_000_000),
      seconds: whole('--seconds', values.seconds, 3_600),
      connections: whole('--connections', values.connections, 10_000),
      seed: whole('--seed', values.seed, 2 ** 31),
    }
  } catch (error) {
    throw error instanceof StormError ? error : new StormError(`${(error as Error).message} Usage: ${usage}`)
  }
}

function whole(name: string, text: string, atMost: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > atMost) throw new StormError(`${name} takes a whole number from 1 to ${atMost}`)
  return value
}
