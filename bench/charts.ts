/** The charts of a run: what is drawn of what was measured. */
import type { Arrivals } from './arrivals.js'
import { type Bar, barChart } from './chart.js'
import type { Round } from './contest.js'
import { isReached, type Reach, type Spread, spread } from './figures.js'
import { type Measured, reaches } from './reaches.js'
import type { Beside, Reads } from './reads.js'
import type { Rounds } from './rounds.js'

/** @returns each chart by the name of its file: those of whose figures there are any */
export function charts(measured: Measured): ReadonlyMap<string, string> {
  const all = new Map<string, string>()
  const draw = (name: string, title: string, bars: readonly Bar[]) => {
    if (bars.length > 0) all.set(name, barChart({ title, unit: '/s', digits: 0, bars }))
  }
  draw('requests.svg', 'Requests a second, one API process, 256 connections', requestBars(measured))
  draw('orders.svg', 'Purchases and paid orders a second, to the row in Postgres', orderBars(measured))
  const promised = reaches(measured)
  if (promised.length > 0) {
    all.set('promises.svg', barChart({
      title: 'What was measured beside what is promised: at 1 and above it is reached', unit: ' ×', digits: 2, goal: 1,
      bars: promised.map((reach) => ({ label: reach.what.replaceAll('`', ''), value: shareOf(reach), ours: isReached(reach) })),
    }))
  }
  return all
}

const rates = (rounds: readonly Round[]): Spread => spread(rounds.map(({ rate }) => rate))
const besideBars = (name: string, other: string, { ours, theirs }: Beside): Bar[] =>
  [{ label: name, value: rates(ours), ours: true }, { label: other, value: rates(theirs), ours: false }]

function requestBars({ rounds, reads, postgres }: Measured): Bar[] {
  return [
    ...(rounds === null ? [] : roundBars(rounds)),
    ...(reads === null ? [] : readBars(reads)),
    ...(postgres === null ? [] : [{ label: 'hold on Postgres alone', value: rates(postgres.theirs), ours: false }]),
  ]
}

function roundBars(rounds: Rounds): Bar[] {
  const { hold, refusal, empty } = rounds[256]
  const bar = (label: string, its: readonly Round[], ours: boolean): Bar[] => (its.length === 0 ? [] : [{ label, value: rates(its), ours }])
  return [...bar('durable hold', hold, true), ...bar('refusal, sold out', refusal, true), ...bar('empty POST, no store at all', empty, false)]
}

const readBars = ({ item }: Reads): Bar[] => besideBars('item page with live stock', 'empty GET, no store at all', item)

function orderBars({ purchases, arrivals }: Measured): Bar[] {
  return [
    ...(purchases === null ? [] : besideBars('whole purchases', 'whole purchases on Postgres alone', purchases)),
    ...(arrivals === null ? [] : arrivalBars(arrivals)),
  ]
}

function arrivalBars({ batched, single, bare }: Arrivals): Bar[] {
  const bar = (label: string, its: Arrivals['batched'], ours: boolean): Bar => ({ label, value: spread(its.map(({ steadyRate }) => steadyRate)), ours })
  return [bar('outbox to Postgres', batched, true), bar('one job, one transaction an order', single, false), bar('bare batches from memory', bare, false)]
}

/** Of what was promised, so that more is always better. */
function shareOf({ bound, measured }: Reach): Spread {
  if ('atLeast' in bound) {
    const { median, min, max } = measured
    return { median: median / bound.atLeast, min: min / bound.atLeast, max: max / bound.atLeast }
  }
  const share = (value: number) => bound.atMost / value
  return { median: share(measured.median), min: share(measured.max), max: share(measured.min) }
}
