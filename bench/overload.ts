/**
 * Twice as many customers as can be served: how many are served all the same, how long they wait, and how the others hear that
 * they are not.
 */
import { ask } from './contest.js'
import { mustBe, ratios, type Reach, spread } from './figures.js'
import { number, ranged, table } from './markdown.js'
import type { PaceRequest, PaceResult } from './pace.js'
import { startOwn } from './processes.js'
import { holdsOf, type Pace, type Service, startService, warmUp } from './service.js'
import { countersOf, publishSale } from './shop.js'
import type { Stage } from './stage.js'

const saleId = 'bench-overload'
const sku = 'bench-rush'
const units = 900_000_000
/** Connections of the peak, each sending its next request once the last is answered. */
const peakConnections = 256
/** Connections of the rush: a request for which none is free waits, and that counts. */
const rushConnections = 2_048
/** How many times the peak is offered. */
const offered = 2

/** What came of a round, and the CPU of the API process for each answer, in µs, refusals included. */
type Round = PaceResult & { readonly apiUs: number }

export interface Overload {
  readonly peaks: readonly Round[]
  readonly rushes: readonly Round[]
}

const goodput = ({ served, seconds }: PaceResult): number => served / seconds

export async function measureOverload(stage: Stage, pairs: number, seconds: number): Promise<Overload> {
  await publishSale(stage, saleId, [sku], units)
  const service = await startService(stage)
  const pace = stage.own(startOwn('./pace.ts'))
  await warmUp({ stage, pace }, service)
  const ground = { stage, service, pace, held: { least: 0, most: 0 } }
  const peaks: Round[] = []
  const rushes: Round[] = []
  // The first pair warms everything up, and is not counted.
  for (let pair = 0; pair <= pairs; pair += 1) {
    const peak = await round(ground, { connections: peakConnections, seconds, rate: null })
    const rush = await round(ground, { connections: rushConnections, seconds, rate: Math.max(1, Math.round(offered * goodput(peak))) })
    stage.say(`  ${pair === 0 ? 'warm-up' : `pair ${pair} of ${pairs}`}: ${Math.round(goodput(peak))}/s at its peak; offered ${offered} times that, ${Math.round(goodput(rush))}/s, p99 ${rush.servedP99Ms.toFixed(0)} ms, ${rush.refused} refused`)
    if (pair === 0) continue
    peaks.push(peak)
    rushes.push(rush)
  }
  await Promise.all([service.stop(), pace.stop()])
  return { peaks, rushes }
}

interface Ground {
  readonly stage: Stage
  readonly service: Service
  readonly pace: Pace
  /** Holds that were answered, and those with what may have been taken as well: its outcome is not known. */
  readonly held: { least: number; most: number }
}

async function round({ stage, service, pace, held }: Ground, how: Pick<PaceRequest, 'connections' | 'seconds' | 'rate'>): Promise<Round> {
  const before = await service.cpu()
  const result = await Promise.race([ask<PaceResult>(pace, { port: service.port, ...holdsOf(saleId, [sku]), ...how } satisfies PaceRequest), service.ended])
  const apiUs = (((await service.cpu()) - before) / Math.max(1, result.served + result.refused)) * 1e6
  const { served, refused, others, sent } = result
  const unknown = Object.values(others).reduce((sum, count) => sum + count, 0)
  mustBe('answers and requests without one', served + refused + unknown, sent)
  held.least += served
  held.most += served + unknown
  const counters = await countersOf(stage, saleId, sku)
  mustBe('no hold that was answered is missing, and nobody who was refused holds any', counters.held >= held.least && counters.held <= held.most, true)
  return { ...result, apiUs }
}

export function overloadReaches({ peaks, rushes }: Overload): Reach[] {
  return [
    { what: `Offered ${offered} times its peak: holds a second beside the peak`, bound: { atLeast: 0.9 }, unit: '×', measured: ratios(rushes, peaks, goodput) },
    { what: `Offered ${offered} times its peak: p99 of those that were served`, bound: { atMost: 250 }, unit: ' ms', measured: spread(rushes.map(({ servedP99Ms }) => servedP99Ms)) },
    {
      what: `Offered ${offered} times its peak: everybody else refused with 503 \`overloaded\` and Retry-After`, bound: { atLeast: 1 }, unit: '×',
      measured: spread(rushes.map(({ served, refused, sent, unsent }) => (sent + unsent === served ? 1 : refused / (sent + unsent - served)))),
    },
  ]
}

export function overloadSection({ peaks, rushes }: Overload): string[] {
  const row = (name: string, its: readonly Round[]) => {
    const of = (figure: (result: Round) => number, digits = 0) => ranged(spread(its.map(figure)), digits)
    return [
      name, of(({ sent, unsent, seconds }) => (sent + unsent) / seconds), of(goodput), of(({ refused, seconds }) => refused / seconds),
      of(({ servedP50Ms }) => servedP50Ms, 1), of(({ servedP99Ms }) => servedP99Ms, 1), of(({ refusedP99Ms }) => refusedP99Ms, 1),
      of(({ apiUs }) => apiUs, 1), othersOf(its), of(({ cpuSeconds, seconds }) => cpuSeconds / seconds, 2),
    ]
  }
  return [
    '',
    '## More than it can carry',
    '',
    `First its peak: ${peakConnections} connections, each sending its next request once the last is answered. Then ${offered} times that rate, from a generator that sends at a fixed pace`,
    `over up to ${number(rushConnections, 0)} connections, whatever the answers take; latencies count from when a request should have been sent. One API process, durable holds of one item.`,
    '',
    table(['', 'offered/s', 'served/s', 'refused/s', 'served p50 ms', 'served p99 ms', 'refused p99 ms', 'CPU of the API an answer, µs', 'neither', 'cores of the load'], [row('peak', peaks), row(`${offered} times the peak`, rushes)]),
    '',
    '*Neither* is whatever was not answered with 201 or refused with 503 `overloaded`, and requests that were never sent for want of a free connection. After every round',
    'the counters were read: no unit held that nobody may have been given, none missing.',
  ]
}

function othersOf(results: readonly PaceResult[]): string {
  const sums = new Map<string, number>()
  const add = (what: string, count: number) => { if (count > 0) sums.set(what, (sums.get(what) ?? 0) + count) }
  for (const { others, unsent } of results) {
    for (const [what, count] of Object.entries(others)) add(what, count)
    add('never sent', unsent)
  }
  return sums.size === 0 ? '0' : [...sums].map(([what, count]) => `${what}: ${count}`).join(', ')
}
