/** A sale over time, drawn from the differences between figures. Holds, payments and latencies are counted of all sales together. */
import { useEffect, useState } from 'preact/hooks'
import type { SaleFigures } from '../../contract.js'
import { Chart } from './chart.js'
import { type Point, pointBetween, type TimedCall, timedCalls } from './rates.js'
import { rounded, timeOfDay } from './words.js'

/** Moments that are kept: ten minutes, at one each two seconds. */
const keptBound = 300
/** Those of them that the table tells. */
const toldBound = 20
const dash = [6, 4]

interface Kept {
  readonly saleId: string
  readonly last: SaleFigures | null
  readonly points: readonly Point[]
}

/** @returns the moments of a sale since it was chosen */
export function useHistory(saleId: string, figures: SaleFigures | null): readonly Point[] {
  const [kept, setKept] = useState<Kept>({ saleId, last: null, points: [] })
  useEffect(() => {
    if (figures === null) return
    setKept((before) => {
      if (before.saleId !== saleId || before.last === null) return { saleId, last: figures, points: [] }
      const point = pointBetween(before.last, figures)
      return point === null ? before : { saleId, last: figures, points: [...before.points, point].slice(-keptBound) }
    })
  }, [saleId, figures])
  return kept.saleId === saleId ? kept.points : []
}

export function Charts({ points }: { readonly points: readonly Point[] }) {
  const [call, setCall] = useState<TimedCall>('hold')
  const times = points.map(({ atSeconds }) => atSeconds)
  const each = (...of: ((point: Point) => number | null)[]) => of.map((one) => points.map(one))
  return (
    <section class="charts" aria-label="Over time">
      <Chart title="Requests for units" unit="a second, all sales" times={times} values={each((p) => p.holds, (p) => p.refusals)}
        lines={[{ label: 'holds', colour: '--line-1' }, { label: 'refusals', colour: '--line-2', dash }]} />
      <Chart title="Orders" unit="a second" times={times} values={each((p) => p.payments, (p) => p.persisted)}
        lines={[{ label: 'payments, all sales', colour: '--line-1' }, { label: 'persisted', colour: '--line-2', dash }]} />
      <Chart title="Outbox" unit="waiting for Postgres" times={times} values={each((p) => p.outboxEntries, (p) => p.outboxSeconds)}
        lines={[{ label: 'entries', colour: '--line-1' }, { label: 'oldest, s', colour: '--line-2', dash, right: true }]} />
      <Chart title="Latency" unit="ms, all sales" times={times} values={each((p) => p.latency[call].p50, (p) => p.latency[call].p99)}
        lines={[{ label: 'p50', colour: '--line-1' }, { label: 'p99', colour: '--line-2', dash }]}>
        <select aria-label="Latency of which call" value={call} onChange={({ currentTarget }) => setCall(currentTarget.value as TimedCall)}>
          {timedCalls.map((one) => <option key={one} value={one}>{one}s</option>)}
        </select>
      </Chart>
      <Told points={points.slice(-toldBound)} call={call} />
    </section>
  )
}

/** The same as numbers. */
function Told({ points, call }: { readonly points: readonly Point[]; readonly call: TimedCall }) {
  return (
    <details class="told">
      <summary>The last readings as a table</summary>
      <p class="muted">What is persisted and the outbox are this sale’s; the other numbers are of all sales.</p>
      <div class="scrolled" role="region" aria-label="The last readings" tabIndex={0}>
        <table>
          <thead>
            <tr>{['Time', 'Holds/s', 'Refusals/s', 'Payments/s', 'Persisted/s', 'Outbox', 'Oldest, s', `${call} p50, ms`, `${call} p99, ms`].map((name) => <th key={name} scope="col">{name}</th>)}</tr>
          </thead>
          <tbody>
            {points.toReversed().map((p) => (
              <tr key={p.atSeconds}>
                <th scope="row">{timeOfDay(p.atSeconds * 1_000)}</th>
                {[p.holds, p.refusals, p.payments, p.persisted, p.outboxEntries, p.outboxSeconds, p.latency[call].p50, p.latency[call].p99]
                  .map((number, i) => <td key={i}>{rounded(number)}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  )
}
