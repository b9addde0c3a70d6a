/**
 * Contestants in turns, a round each, one right after the other. Each runs on processes of its own, which are there from the start,
 * warmed up, and idle while another is measured.
 */
import { once } from 'node:events'
import type { Counted } from './api.js'
import type { LoadRequest, LoadResult } from './load.js'
import { cpuSeconds, machineSeconds, type Running, startOwn } from './processes.js'
import type { Stage } from './stage.js'

/** Connections of a crowd that is not told more of: as many as a burst keeps busy. */
export const crowd = 256

export interface Contestant {
  readonly name: string
  /** The process whose CPU is counted. */
  readonly server: Running
  /** Requests of the two rounds that warm it up, and are not counted. */
  readonly warmUp: number
  /** Is asked that many times; ends with the last answer. */
  run(amount: number): Promise<LoadResult>
  /** What the server itself has counted so far; asked outside of what is measured. */
  counted?(): Promise<Counted>
  /** Holds what is in the stores, and what the server counted in the meantime, against what was answered. @throws DoesNotCount */
  check(result: LoadResult, counted: Counted): Promise<void>
}

export interface Round extends LoadResult {
  /** Answers as expected, a second. */
  readonly rate: number
  /** CPU of the server process for each of these answers, in µs. */
  readonly cpuUs: number
  /** CPU of Redis for each of these answers, in µs. */
  readonly redisUs: number
  /** Requests of one call to Redis, on average; null where none was counted. */
  readonly batch: number | null
  /** Cores that the load kept busy, and those that everything outside of the bench did. */
  readonly loadCores: number
  readonly otherCores: number
}

/** @returns the rounds of each contestant, in their order: `pairs` of each, of about `seconds` */
export async function contest(stage: Stage, contestants: readonly Contestant[], pairs: number, seconds: number): Promise<Round[][]> {
  const amounts = new Map<Contestant, number>()
  // Twice: the second round tells how many requests a round takes, from processes that are warm.
  for (let turn = 0; turn < 2; turn += 1) {
    for (const contestant of contestants) {
      const { rate } = await runRound(stage, contestant, contestant.warmUp)
      stage.say(`  warm-up, ${contestant.name}: ${Math.round(rate)}/s`)
      amounts.set(contestant, Math.max(crowd, Math.round(rate * seconds)))
    }
  }
  const rounds = new Map(contestants.map((contestant) => [contestant, [] as Round[]]))
  for (let pair = 1; pair <= pairs; pair += 1) {
    // To and fro, so that a machine that gets slower or faster on the way favours none.
    for (const contestant of pair % 2 === 1 ? contestants : contestants.toReversed()) {
      const round = await runRound(stage, contestant, amounts.get(contestant)!)
      rounds.get(contestant)!.push(round)
      tell(stage, `pair ${pair} of ${pairs}, ${contestant.name}`, round)
    }
  }
  return contestants.map((contestant) => rounds.get(contestant)!)
}

export function tell(stage: Stage, what: string, { rate, cpuUs, redisUs }: Round): void {
  stage.say(`  ${what}: ${Math.round(rate)}/s, ${cpuUs.toFixed(1)} µs of CPU each, ${redisUs.toFixed(1)} of Redis`)
}

export async function runRound(stage: Stage, contestant: Contestant, amount: number): Promise<Round> {
  const { server } = contestant
  const countedBefore = (await contestant.counted?.()) ?? nothing
  const redisBefore = await redisSeconds(stage)
  const machineBefore = await machineSeconds()
  const before = await cpuSeconds(server.pid)
  const started = performance.now()
  const result = await Promise.race([contestant.run(amount), server.ended])
  const elapsed = (performance.now() - started) / 1_000
  const cpu = (await cpuSeconds(server.pid)) - before
  const machine = (await machineSeconds()) - machineBefore
  const redis = (await redisSeconds(stage)) - redisBefore
  const counted = difference((await contestant.counted?.()) ?? nothing, countedBefore)
  await contestant.check(result, counted)
  return {
    ...result,
    rate: result.answers / result.seconds,
    cpuUs: (cpu / result.answers) * 1e6,
    redisUs: (redis / result.answers) * 1e6,
    batch: counted.calls === 0 ? null : counted.requests / counted.calls,
    loadCores: result.cpuSeconds / elapsed,
    otherCores: Math.max(0, machine - cpu - redis - result.cpuSeconds) / elapsed,
  }
}

const nothing: Counted = { calls: 0, requests: 0, refused: 0 }

function difference(after: Counted, before: Counted): Counted {
  return { calls: after.calls - before.calls, requests: after.requests - before.requests, refused: after.refused - before.refused }
}

/** @returns the seconds of CPU that Redis has used, user and system, all of its threads */
export async function redisSeconds({ redis }: Stage): Promise<number> {
  const info = await redis.info('cpu')
  return [/used_cpu_user:([\d.]+)/, /used_cpu_sys:([\d.]+)/].reduce((sum, pattern) => sum + Number(pattern.exec(info)?.[1]), 0)
}

export type Load = Running & { send(request: LoadRequest): Promise<LoadResult> }

export function startLoad(stage: Stage): Load {
  const load = stage.own(startOwn('./load.ts'))
  return { ...load, send: (request) => ask<LoadResult>(load, request) }
}

type Own = ReturnType<typeof startOwn>

/** Asks a process of the bench's own for a result. */
export async function ask<Result>(own: Own, request: object): Promise<Result> {
  own.child.send(request)
  return answerOf<Result>(own)
}

/** Waits for the result of a process of the bench's own. */
export async function answerOf<Result>(own: Own): Promise<Result> {
  const [reply] = (await Promise.race([once(own.child, 'message'), own.ended])) as [{ result: Result } | { failed: string }]
  if ('failed' in reply) throw new Error(`the load failed: ${reply.failed}`)
  return reply.result
}
