/**
 * Rounds of requests: holds, refusals in a sold-out sale, and an empty POST, in turns, each against a process of its own.
 */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { shardKey } from '../src/keys.js'
import { mustBe } from './figures.js'
import type { LoadRequest, LoadResult } from './load.js'
import { cpuSeconds, freePort, machineSeconds, type Running, startBuilt, startOwn } from './processes.js'
import { countersOf, publishSale } from './shop.js'
import type { Stage } from './stage.js'

/** Connections of a round: with few, a call to Redis carries few requests, and its price is shared by few. */
export const crowds = [64, 256] as const
export type Crowd = (typeof crowds)[number]
/** Requests of the rounds that warm each process up, and are not counted. */
const warmUp = 40_000
/** Units of the sale that is sold out; all of them are in carts that do not lapse. */
const soldOutUnits = 1_000
const readyWithinMs = 30_000

const openSale = 'bench-open'
const openSku = 'bench-hot'
const openUnits = 500_000_000
const soldOutSale = 'bench-sold-out'
const soldOutSku = 'bench-gone'

export type Kind = 'hold' | 'refusal' | 'empty'

export interface Round extends LoadResult {
  /** Answers as expected, a second. */
  readonly rate: number
  /** CPU of the server process for each of these answers, in µs. */
  readonly cpuUs: number
  /** CPU of Redis for each of these answers, in µs. */
  readonly redisUs: number
  /** Requests of one call to Redis, on average; null where none was made. */
  readonly batch: number | null
  /** Cores that the load kept busy, and those that everything outside of the bench did. */
  readonly loadCores: number
  readonly otherCores: number
}

export type Rounds = Readonly<Record<Crowd, Readonly<Record<Kind, readonly Round[]>>>>

interface Ground {
  readonly stage: Stage
  readonly api: Running
  readonly apiAddress: string
  readonly empty: Running
  readonly emptyAddress: string
  readonly load: ReturnType<typeof startOwn>
}

/** Runs `pairs` rounds of each kind and crowd, of about `seconds` each. */
export async function measureRounds(stage: Stage, kinds: readonly Kind[], pairs: number, seconds: number): Promise<Rounds> {
  const ground = await prepare(stage)
  const tallies = { held: 0 }
  const measure = async (kind: Kind, connections: Crowd, amount: number) => {
    const round = await runRound(ground, kind, connections, amount)
    await check(ground, kind, round, tallies)
    return round
  }

  let amount = warmUp
  // Twice: the second round tells how many requests a round takes, from processes that are warm.
  for (let turn = 0; turn < 2; turn += 1) {
    for (const kind of kinds) {
      const { rate } = await measure(kind, crowds[0], warmUp)
      stage.say(`  warm-up, ${kind}: ${Math.round(rate)}/s`)
      if (kind === 'empty') amount = Math.max(...crowds, Math.round(rate * seconds))
    }
  }

  const none = (): Record<Kind, Round[]> => ({ hold: [], refusal: [], empty: [] })
  const rounds: Record<Crowd, Record<Kind, Round[]>> = { 64: none(), 256: none() }
  for (let pair = 1; pair <= pairs; pair += 1) {
    for (const crowd of crowds) {
      // To and fro, so that a machine that gets slower or faster on the way favours none.
      for (const kind of pair % 2 === 1 ? kinds : kinds.toReversed()) {
        const round = await measure(kind, crowd, amount)
        rounds[crowd][kind].push(round)
        stage.say(`  pair ${pair} of ${pairs}, ${crowd} connections, ${kind}: ${Math.round(round.rate)}/s, ${round.cpuUs.toFixed(1)} µs of CPU each`)
      }
    }
  }
  await Promise.all([ground.api, ground.empty, ground.load].map((own) => own.stop()))
  return rounds
}

async function prepare(stage: Stage): Promise<Ground> {
  await publishSale(stage, openSale, [openSku], openUnits)
  await publishSale(stage, soldOutSale, [soldOutSku], soldOutUnits)

  const port = await freePort()
  const env = {
    ...process.env,
    REDIS_URL: stage.redisUrl,
    DATABASE_URL: stage.databaseUrl,
    HOST: '127.0.0.1',
    PORT: String(port),
    LOG_LEVEL: 'warn',
    RATE_LIMIT_MAX: '0',
  }
  const api = stage.own(startBuilt('src/api.js', env))
  const apiAddress = `http://127.0.0.1:${port}`
  await Promise.race([ready(apiAddress), api.ended])

  const empty = stage.own(startOwn('./empty.ts'))
  const [said] = (await Promise.race([once(empty.child, 'message'), empty.ended])) as [{ port: number }]
  const load = stage.own(startOwn('./load.ts'))
  const ground = { stage, api, apiAddress, empty, emptyAddress: `http://127.0.0.1:${said.port}`, load }

  const { answers } = await send(ground, { ...requestOf(ground, 'refusal', crowds[0], soldOutUnits), expected: 201 })
  mustBe('units that the sold-out sale gave out', answers, soldOutUnits)
  return ground
}

export async function ready(address: string): Promise<void> {
  const deadline = performance.now() + readyWithinMs
  for (;;) {
    const status = await fetch(`${address}/readyz`).then((response) => response.status, () => null)
    if (status === 200) return
    if (performance.now() > deadline) throw new Error('the API is not ready in time')
    await delay(50)
  }
}

/** The three differ in their address alone; the body of an empty POST is the one of a hold. */
function requestOf({ apiAddress, emptyAddress }: Ground, kind: Kind, connections: Crowd, amount: number): LoadRequest {
  const [saleId, sku] = kind === 'refusal' ? [soldOutSale, soldOutSku] : [openSale, openSku]
  return {
    url: `${kind === 'empty' ? emptyAddress : apiAddress}/v1/sales/${saleId}/carts`,
    body: JSON.stringify({ items: [{ sku, quantity: 1 }] }),
    amount,
    connections,
    expected: kind === 'refusal' ? 409 : 201,
  }
}

async function send({ load }: Ground, request: LoadRequest): Promise<LoadResult> {
  load.child.send(request)
  const [reply] = (await Promise.race([once(load.child, 'message'), load.ended])) as [{ result: LoadResult } | { failed: string }]
  if ('failed' in reply) throw new Error(`the load failed: ${reply.failed}`)
  return reply.result
}

async function runRound(ground: Ground, kind: Kind, connections: Crowd, amount: number): Promise<Round> {
  const { stage, api, apiAddress, empty } = ground
  const server = kind === 'empty' ? empty : api
  const scrapeBefore = await scrape(apiAddress)
  const redisBefore = await redisSeconds(stage)
  const machineBefore = await machineSeconds()
  const before = await cpuSeconds(server.pid)
  const started = performance.now()
  const result = await Promise.race([send(ground, requestOf(ground, kind, connections, amount)), server.ended])
  const elapsed = (performance.now() - started) / 1_000
  const cpu = (await cpuSeconds(server.pid)) - before
  const machine = (await machineSeconds()) - machineBefore
  const redis = (await redisSeconds(stage)) - redisBefore
  const scrapeAfter = await scrape(apiAddress)

  const calls = scrapeAfter.calls - scrapeBefore.calls
  if (kind === 'refusal') mustBe('refusals for want of stock', scrapeAfter.refused - scrapeBefore.refused, result.answers)
  return {
    ...result,
    rate: result.answers / result.seconds,
    cpuUs: (cpu / result.answers) * 1e6,
    redisUs: (redis / result.answers) * 1e6,
    batch: calls === 0 ? null : (scrapeAfter.requests - scrapeBefore.requests) / calls,
    loadCores: result.cpuSeconds / elapsed,
    otherCores: Math.max(0, machine - cpu - redis - result.cpuSeconds) / elapsed,
  }
}

/** @returns the seconds of CPU that Redis has used, all of its threads */
export async function redisSeconds({ redis }: Stage): Promise<number> {
  const info = await redis.info('cpu')
  return [/used_cpu_user:([\d.]+)/, /used_cpu_sys:([\d.]+)/].reduce((sum, pattern) => sum + Number(pattern.exec(info)?.[1]), 0)
}

/** What the API process itself has counted. */
async function scrape(apiAddress: string): Promise<{ calls: number; requests: number; refused: number }> {
  const text = await (await fetch(`${apiAddress}/metrics`)).text()
  const value = (name: string) => {
    const line = text.split('\n').find((one) => one.startsWith(`${name} `))
    return line === undefined ? 0 : Number(line.slice(name.length + 1))
  }
  return {
    calls: value('flash_sale_batch_size_count{script="hold"}'),
    requests: value('flash_sale_batch_size_sum{script="hold"}'),
    refused: value('flash_sale_holds_total{result="insufficient_stock"}'),
  }
}

/** Nothing that was answered may be missing, and nothing may be there that was not. */
async function check({ stage }: Ground, kind: Kind, round: Round, tallies: { held: number }): Promise<void> {
  if (kind === 'empty') return
  if (kind === 'hold') tallies.held += round.answers
  const open = await countersOf(stage, openSale, openSku)
  const gone = await countersOf(stage, soldOutSale, soldOutSku)
  mustBe('units held in the open sale, beside the holds that were answered', open.held, tallies.held)
  mustBe('carts of the open sale', await stage.redis.hlen(shardKey({ saleId: openSale, shard: 0 }, 'carts')), tallies.held)
  mustBe('units sold in the open sale', open.sold, 0)
  mustBe('units held in the sold-out sale', gone.held, soldOutUnits)
  mustBe('units available in the sold-out sale', gone.available, 0)
}
