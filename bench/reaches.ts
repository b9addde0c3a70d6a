/** What was promised, and what came of it: the rows of the first table. */
import type { Arrivals } from './arrivals.js'
import type { Round } from './contest.js'
import { type Reach, ratios, spread } from './figures.js'
import { type Beside, lineCount, type Reads, saleItems } from './reads.js'
import type { Recovery } from './recover.js'
import { type Overload, overloadReaches } from './overload.js'
import { crowds, type Rounds } from './rounds.js'
import { type Scale, scaleReaches } from './scale.js'
import { type Watched, watchersReaches } from './watchers.js'

export interface Measured {
  readonly rounds: Rounds | null
  readonly lines: Beside | null
  readonly reads: Reads | null
  readonly redis: Beside | null
  readonly postgres: Beside | null
  readonly purchases: Beside | null
  readonly arrivals: Arrivals | null
  readonly overload: Overload | null
  readonly scale: Scale | null
  readonly watched: Watched | null
  readonly recoveries: readonly Recovery[] | null
}

/** @returns every figure that was promised and measured in this run */
export function reaches({ rounds, lines, reads, redis, postgres, purchases, arrivals, overload, scale, watched }: Measured): Reach[] {
  const rate = (what: string, beside: Beside | null, atLeast: number) => besideReach(what, beside, { atLeast }, (round) => round.rate)
  return [
    ...(rounds === null ? [] : roundReaches(rounds)),
    ...rate(`Carts of ${lineCount} items: rate beside an empty POST`, lines, 0.8),
    ...rate('Item page: rate beside an empty GET', reads?.item ?? null, 0.9),
    ...rate(`A sale of ${saleItems} items: rate beside an empty GET`, reads?.sale ?? null, 0.9),
    ...besideReach('Durable holds: CPU of Redis each, beside a bare script a hold', redis, { atMost: 0.6 }, (round) => round.redisUs),
    ...rate('Durable holds of one hot item: rate beside Postgres alone', postgres, 10),
    ...rate('Whole purchases, to the row in Postgres: rate beside Postgres alone', purchases, 4),
    ...(arrivals === null ? [] : arrivalReaches(arrivals)),
    ...(overload === null ? [] : overloadReaches(overload)),
    ...(scale === null ? [] : scaleReaches(scale)),
    ...(watched === null ? [] : watchersReaches(watched)),
  ]
}

function besideReach(what: string, beside: Beside | null, bound: Reach['bound'], figure: (round: Round) => number): Reach[] {
  return beside === null ? [] : [{ what, bound, unit: '×', measured: ratios(beside.ours, beside.theirs, figure) }]
}

function roundReaches(rounds: Rounds): Reach[] {
  return crowds.flatMap((connections) => {
    const { hold, refusal, empty } = rounds[connections]
    const at = `at ${connections} connections`
    const all: Reach[] = []
    for (const [name, ours, atMost] of [['Durable holds', hold, 1.2], ['Refusals', refusal, 1.3]] as const) {
      if (ours.length === 0) continue
      all.push({ what: `${name} ${at}: rate beside an empty POST`, bound: { atLeast: 0.95 }, unit: '×', measured: ratios(ours, empty, (round) => round.rate) })
      all.push({ what: `${name} ${at}: CPU of the API process a request, beside an empty POST`, bound: { atMost }, unit: '×', measured: ratios(ours, empty, (round) => round.cpuUs) })
    }
    if (hold.length > 0 && refusal.length > 0) {
      all.push({ what: `Refusals beside holds ${at}: CPU of the API and of Redis a request`, bound: { atMost: 1 }, unit: '×', measured: ratios(refusal, hold, (round) => round.cpuUs + round.redisUs) })
    }
    return all
  })
}

function arrivalReaches({ batched, single, bare }: Arrivals): Reach[] {
  const rate = ({ steadyRate }: { steadyRate: number }) => steadyRate
  return [
    { what: 'Paid orders to Postgres, one worker process, its start included', bound: { atLeast: 5_000 }, unit: ' orders/s', measured: spread(batched.map((arrival) => arrival.rate)) },
    { what: 'Paid orders to Postgres, once it runs: rate beside one job and one transaction an order', bound: { atLeast: 15 }, unit: '×', measured: ratios(batched, single, rate) },
    { what: 'Paid orders to Postgres, once it runs: rate beside bare batches of 500', bound: { atLeast: 0.6 }, unit: '×', measured: ratios(batched, bare, rate) },
  ]
}
