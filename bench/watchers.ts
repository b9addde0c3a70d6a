/**
 * Holds while thousands watch the sale, beside holds while nobody does; and how long it takes until the last of those who
 * watch has seen a change.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { type Server, startApi } from './api.js'
import { answerOf, ask as askOwn, type Load, startLoad } from './contest.js'
import type { CrowdRequest, CrowdResult } from './crowd.js'
import { DoesNotCount, mustBe, type Reach, type Spread, ratios, spread } from './figures.js'
import { holdStep } from './holds.js'
import { number, ranged, table } from './markdown.js'
import { cpuSeconds, startOwn } from './processes.js'
import { accepted, countersOf, publishSale } from './shop.js'
import type { Stage } from './stage.js'

/** Those who watch. */
export const watchers = 5_000
/** Connections that take units meanwhile. */
const holdConnections = 64
/** Files that a process has open beside its watchers: connections, stores, its own. */
const otherFiles = 500
/** Requests of the round that warms the process up, and is not counted. */
const warmUp = 40_000
/** How long the process may take to notice that all have left, in ms. */
const leftWithinMs = 10_000

const saleId = 'bench-watched'
const sku = 'bench-watched-hot'
/** Changes only when somebody looks for it. */
const sign = 'bench-watched-sign'
const units = 500_000_000

export interface WatchedRound {
  /** Durable holds a second. */
  readonly rate: number
  /** CPU of the API process for each of them, in µs. */
  readonly cpuUs: number
  readonly p99Ms: number
  /** From the moment that a change was in Redis until the middle and the last of all watchers had it, in ms, the worst of the round; null without watchers. */
  readonly medianSeenMs: number | null
  readonly lastSeenMs: number | null
  /** Events a second that one watcher got; null without watchers. */
  readonly events: number | null
}

export interface Watched {
  readonly withWatchers: readonly WatchedRound[]
  readonly without: readonly WatchedRound[]
}

type Own = ReturnType<typeof startOwn>

interface Ground {
  readonly stage: Stage
  readonly api: Server
  readonly load: Load
  readonly crowd: Own
  /** Units that were answered with 201, so far. */
  held: number
}

/** Runs `pairs` pairs of rounds, of about `seconds` each. */
export async function measureWatchers(stage: Stage, pairs: number, seconds: number): Promise<Watched> {
  const ground = await prepare(stage)
  const { rate } = await hold(ground, warmUp)
  const amount = Math.max(holdConnections, Math.round(rate * seconds))
  const all: { withWatchers: WatchedRound[]; without: WatchedRound[] } = { withWatchers: [], without: [] }
  for (let pair = 1; pair <= pairs; pair += 1) {
    // To and fro, so that a machine that gets slower or faster on the way favours none.
    const first = pair % 2 === 1 ? await watchedRound(ground, amount) : null
    const without = await hold(ground, amount)
    const watched = first ?? await watchedRound(ground, amount)
    stage.say(`  pair ${pair} of ${pairs}: ${Math.round(watched.rate)}/s while ${watchers} watch, the last of whom sees a change after ${Math.round(watched.lastSeenMs ?? 0)} ms; ${Math.round(without.rate)}/s while nobody does`)
    all.withWatchers.push(watched)
    all.without.push(without)
  }
  await Promise.all([ground.api, ground.load, ground.crowd].map((own) => own.stop()))
  return all
}

async function prepare(stage: Stage): Promise<Ground> {
  await publishSale(stage, saleId, [sku, sign], units)
  const api = await startApi(stage)
  const ground = { stage, api, load: startLoad(stage), crowd: stage.own(startOwn('./crowd.ts')), held: 0 }
  for (const { pid } of [api, ground.crowd]) await mayOpen(pid, watchers + otherFiles)
  return ground
}

/** @throws where a process may not have so many files open */
async function mayOpen(pid: number, files: number): Promise<void> {
  const limit = /^Max open files +(\S+)/m.exec(await readFile(`/proc/${pid}/limits`, 'utf8'))?.[1]
  if (limit !== 'unlimited' && Number(limit) < files) throw new RangeError(`a process may have ${String(limit)} files open, and ${watchers} watchers need ${files}: see ulimit -n`)
}

async function until(otherwise: string, withinMs: number, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new DoesNotCount(`${otherwise} in time`)
    await delay(50)
  }
}

const ask = ({ crowd, api }: Ground, request: CrowdRequest): Promise<CrowdResult> => Promise.race([askOwn<CrowdResult>(crowd, request), api.ended])

/** Takes so many units, a cart each. */
async function hold(ground: Ground, amount: number): Promise<WatchedRound> {
  const { stage, api, load } = ground
  const before = await cpuSeconds(api.pid)
  const step = holdStep({ saleId, skus: [sku] })
  const { answers, seconds, p99Ms } = await Promise.race([load.send({ address: api.address, steps: [step], walks: amount, connections: holdConnections }), api.ended])
  const cpu = (await cpuSeconds(api.pid)) - before
  mustBe('holds that were answered with 201', answers, amount)
  ground.held += answers
  mustBe('units that are held', (await countersOf(stage, saleId, sku)).held, ground.held)
  return { rate: answers / seconds, cpuUs: (cpu / answers) * 1e6, p99Ms, medianSeenMs: null, lastSeenMs: null, events: null }
}

async function watchedRound(ground: Ground, amount: number): Promise<WatchedRound> {
  const began = await ask(ground, { kind: 'watch', port: Number(new URL(ground.api.address).port), saleId, watchers })
  mustBe('those who watch', await watching(ground), watchers)
  const started = performance.now()
  const round = { over: false }
  const holding = hold(ground, amount).finally(() => { round.over = true })
  holding.catch(() => undefined)
  const seen: { medianMs: number; lastMs: number }[] = []
  // At least once, however short the round is.
  do seen.push(await seeChange(ground))
  while (!round.over)
  const held = await holding
  const seconds = (performance.now() - started) / 1_000
  mustBe('those who still watch', await watching(ground), watchers)
  const ended = await ask(ground, { kind: 'leave' })
  await until('the process has not noticed that all have left', leftWithinMs, async () => (await watching(ground)) === 0)
  return {
    ...held,
    medianSeenMs: Math.max(...seen.map(({ medianMs }) => medianMs)),
    lastSeenMs: Math.max(...seen.map(({ lastMs }) => lastMs)),
    events: (ended.events - began.events) / watchers / seconds,
  }
}

/** Takes a unit of an item that nobody else takes. @returns how long it was in Redis before the middle and the last of all watchers saw that, in ms */
async function seeChange(ground: Ground): Promise<{ medianMs: number; lastMs: number }> {
  const { crowd, api, stage } = ground
  crowd.child.send({ kind: 'look', sku: sign } satisfies CrowdRequest)
  await Promise.race([once(crowd.child, 'message'), crowd.ended, api.ended])
  const all = answerOf<CrowdResult>(crowd)
  accepted(await stage.engine.createCart(saleId, [{ sku: sign, quantity: 1 }]))
  const changedMs = performance.timeOrigin + performance.now()
  const { medianMs, lastMs } = await Promise.race([all, api.ended])
  return { medianMs: medianMs - changedMs, lastMs: lastMs - changedMs }
}

/** @returns how many watch, as the process itself counts them */
async function watching({ api }: Ground): Promise<number> {
  const text = await (await fetch(`${api.address}/metrics`)).text()
  return Number(/^flash_sale_watchers (\d+)$/m.exec(text)?.[1])
}

export function watchersReaches({ withWatchers, without }: Watched): Reach[] {
  const who = `${number(watchers, 0)} watch the sale`
  const lastSeen: Spread = spread(withWatchers.map(({ lastSeenMs }) => lastSeenMs ?? 0))
  return [
    { what: `Durable holds while ${who}: rate beside holds while nobody does`, bound: { atLeast: 0.75 }, unit: '×', measured: ratios(withWatchers, without, ({ rate }) => rate) },
    { what: `While ${who}: how long the last of them takes to see a change, under load`, bound: { atMost: 2_000 }, unit: ' ms', measured: lastSeen },
  ]
}

export function watchersSection(watched: Watched): string[] {
  const row = (name: string, its: readonly WatchedRound[]) => {
    const of = (figure: (round: WatchedRound) => number | null, digits = 0) => {
      const figures = its.map(figure).filter((one) => one !== null)
      return figures.length === 0 ? '–' : ranged(spread(figures), digits)
    }
    return [
      name, of(({ rate }) => rate), of(({ cpuUs }) => cpuUs, 1), of(({ p99Ms }) => p99Ms, 2),
      of(({ events }) => events, 1), of(({ medianSeenMs }) => medianSeenMs), of(({ lastSeenMs }) => lastSeenMs),
    ]
  }
  return [
    '',
    '## Holds while thousands watch',
    '',
    `One API process takes holds over ${holdConnections} connections, with and without ${number(watchers, 0)} streams of \`GET /v1/sales/{saleId}/events\` open on it, in turns; those who watch`,
    'are one process with bare sockets. Meanwhile a unit of another item is taken again and again, and the clock runs until every watcher has an event that says so;',
    'the table has the slowest such change of a round.',
    '',
    table(['', 'holds/s', 'CPU of the API process, µs a hold', 'p99 ms', 'events/s a watcher', 'half of them saw it after, ms', 'the last saw it after, ms'], [
      row('all watch', watched.withWatchers),
      row('nobody watches', watched.without),
    ]),
    '',
    'After every round: units held as many as 201 answers, and nobody who watched was cut off.',
  ]
}
