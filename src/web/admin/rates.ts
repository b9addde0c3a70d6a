/** From cumulative figures to what happens a second, and how long it takes. */
import type { SaleFigures } from '../../contract.js'

export const timedCalls = ['hold', 'checkout', 'payment'] as const
export type TimedCall = (typeof timedCalls)[number]

/** One moment of a chart; null where nobody can say. Rates are a second, quantiles are ms. */
export interface Point {
  readonly atSeconds: number
  readonly holds: number | null
  readonly refusals: number | null
  readonly payments: number | null
  readonly persisted: number | null
  readonly outboxEntries: number | null
  readonly outboxSeconds: number | null
  readonly latency: Readonly<Record<TimedCall, Quantiles>>
}

export interface Quantiles {
  readonly p50: number | null
  readonly p99: number | null
}

type Latency = SaleFigures['latency'][number]

/** @returns what happened between two answers; null where both are of the same moment */
export function pointBetween(before: SaleFigures, now: SaleFigures): Point | null {
  const atSeconds = Date.parse(now.readAt) / 1_000
  const seconds = atSeconds - Date.parse(before.readAt) / 1_000
  if (seconds <= 0) return null
  const rate = (of: (figures: SaleFigures) => number | undefined): number | null => {
    const [was, is] = [of(before), of(now)]
    // Less than before: a process was started again, and nobody knows what it had counted.
    return was === undefined || is === undefined || is < was ? null : (is - was) / seconds
  }
  return {
    atSeconds,
    holds: rate(({ holds }) => holds.taken),
    refusals: rate(({ holds }) => holds.refused.reduce((sum, { count }) => sum + count, 0)),
    payments: rate(({ payments }) => payments.succeeded),
    persisted: rate(({ outbox }) => outbox?.persistedOrders),
    outboxEntries: now.outbox?.entries ?? null,
    outboxSeconds: now.outbox?.oldestSeconds ?? null,
    latency: Object.fromEntries(timedCalls.map((call) => [call, quantiles(latencyOf(before, call), latencyOf(now, call))])) as Record<TimedCall, Quantiles>,
  }
}

const latencyOf = ({ latency }: SaleFigures, call: TimedCall): Latency | undefined => latency.find((one) => one.call === call)

function quantiles(before: Latency | undefined, now: Latency | undefined): Quantiles {
  if (now === undefined || now.count <= (before?.count ?? 0)) return { p50: null, p99: null }
  const were = new Map(before?.buckets.map(({ atMostSeconds, count }) => [atMostSeconds, count]))
  const buckets = now.buckets.map(({ atMostSeconds, count }) => ({ atMostMs: atMostSeconds * 1_000, count: count - (were.get(atMostSeconds) ?? 0) }))
  const calls = now.count - (before?.count ?? 0)
  return { p50: quantile(buckets, calls, 0.5), p99: quantile(buckets, calls, 0.99) }
}

/** @returns where in its bucket a rank lies, if those in it came evenly: as good as a histogram can say. In ms */
function quantile(buckets: readonly { atMostMs: number; count: number }[], calls: number, share: number): number {
  const rank = share * calls
  let [fromMs, below] = [0, 0]
  for (const { atMostMs, count: upTo } of buckets) {
    if (upTo >= rank) return upTo === below ? atMostMs : fromMs + ((atMostMs - fromMs) * (rank - below)) / (upTo - below)
    ;[fromMs, below] = [atMostMs, upTo]
  }
  return fromMs
}
