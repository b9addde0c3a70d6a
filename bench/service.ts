/** API processes to measure on, rounds of holds in one sale, and what they and Redis have cost. */
import { readFile } from 'node:fs/promises'
import { type Server, startApi } from './api.js'
import { ask, redisSeconds } from './contest.js'
import { mustBe } from './figures.js'
import { cartBody, cartsPath } from './holds.js'
import type { PaceRequest, PaceResult } from './pace.js'
import { cpuSeconds, type startOwn } from './processes.js'
import { heldIn, publishSale } from './shop.js'
import type { Stage } from './stage.js'

/** How long a process is at work before it is measured, in seconds. */
const warmUpSeconds = 5

export interface Service extends Server {
  readonly port: number
  /** CPU of all of its processes since they started, in seconds. */
  cpu(): Promise<number>
}

/** Starts `npm run api` with so many processes on one port, and waits until it serves. */
export async function startService(stage: Stage, processes = 1): Promise<Service> {
  const api = await startApi(stage, processes)
  return { ...api, port: Number(new URL(api.address).port), cpu: () => cpuOf(api.pid, processes === 1 ? 0 : processes) }
}

/** Of a process, and of those that it has started: all of them, so that none is missed. */
async function cpuOf(pid: number, children: number): Promise<number> {
  const listed = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean).map(Number)
  if (listed.length !== children) throw new Error(`${listed.length} API processes live, and should be ${children}`)
  const all = await Promise.all([pid, ...listed].map(cpuSeconds))
  return all.reduce((sum, seconds) => sum + seconds, 0)
}

export type Pace = ReturnType<typeof startOwn>

/** Carts of a sale, each with a unit of one item, by turns. */
export const holdsOf = (saleId: string, skus: readonly string[]) => ({ path: cartsPath(saleId), bodies: skus.map((sku) => cartBody([sku])) })

export interface Ground {
  readonly stage: Stage
  readonly pace: Pace
}

export interface HoldRound {
  /** Durable holds a second. */
  readonly rate: number
  readonly holds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU of all API processes for each of them, and of Redis, in µs. */
  readonly apiUs: number
  readonly redisUs: number
}

export interface HoldsAsked {
  readonly saleId: string
  /** In turns. */
  readonly skus: readonly string[]
  readonly connections: number
  readonly seconds: number
}

/** Takes a unit a request, each connection sending its next request once the last is answered; none of them may fail. */
export async function takeHolds({ stage, pace }: Ground, service: Service, { saleId, skus, connections, seconds }: HoldsAsked): Promise<HoldRound> {
  const [api, redis] = [await service.cpu(), await redisSeconds(stage)]
  const request: PaceRequest = { port: service.port, ...holdsOf(saleId, skus), connections, seconds, rate: null }
  const result = await Promise.race([ask<PaceResult>(pace, request), service.ended])
  const [apiAfter, redisAfter] = [await service.cpu(), await redisSeconds(stage)]
  mustBe('answers to holds that were not 201', JSON.stringify(result.refused > 0 ? { ...result.others, overloaded: result.refused } : result.others), '{}')
  mustBe('holds that were answered with 201', result.served, result.sent)
  return {
    rate: result.served / result.seconds,
    holds: result.served,
    p50Ms: result.servedP50Ms,
    p99Ms: result.servedP99Ms,
    apiUs: ((apiAfter - api) / result.served) * 1e6,
    redisUs: ((redisAfter - redis) / result.served) * 1e6,
  }
}

/** As `takeHolds`, where nothing else happens in the sale: every unit that was answered is held, and no other. */
export async function takeCountedHolds(ground: Ground, service: Service, asked: HoldsAsked): Promise<HoldRound> {
  const before = await heldIn(ground.stage, asked.saleId)
  const round = await takeHolds(ground, service, asked)
  mustBe(`units held in ${asked.saleId}`, await heldIn(ground.stage, asked.saleId), before + round.holds)
  return round
}

export interface Pairs {
  readonly ours: readonly HoldRound[]
  readonly theirs: readonly HoldRound[]
}

/** Has every process of a service take holds until its code is compiled, in a sale that nobody looks at. */
export async function warmUp(ground: Ground, service: Service, processes = 1): Promise<void> {
  const saleId = `bench-warm-up-${service.pid}`
  await publishSale(ground.stage, saleId, [saleId], 100_000_000)
  await takeHolds(ground, service, { saleId, skus: [saleId], connections: 64 * processes, seconds: warmUpSeconds * processes })
}

/** Runs pairs of rounds, to and fro, after one pair that warms up and is not counted. */
export async function inPairs(pairs: number, ours: (pair: number) => Promise<HoldRound>, theirs: (pair: number) => Promise<HoldRound>, tell: (pair: number, its: HoldRound, other: HoldRound) => void): Promise<Pairs> {
  const all: { ours: HoldRound[]; theirs: HoldRound[] } = { ours: [], theirs: [] }
  for (let pair = 0; pair <= pairs; pair += 1) {
    const first = pair % 2 === 1 ? await ours(pair) : null
    const other = await theirs(pair)
    const its = first ?? await ours(pair)
    tell(pair, its, other)
    if (pair === 0) continue
    all.ours.push(its)
    all.theirs.push(other)
  }
  return all
}
