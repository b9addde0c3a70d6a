/** From cumulative figures to what an operator sees: rates, quantiles, and the one number of the audit. */
import tap from 'tap'
import type { AuditReport, SaleFigures } from '../../src/contract.js'
import { oversoldUnits } from '../../src/web/admin/oversold.js'
import { pointBetween } from '../../src/web/admin/rates.js'

type Latency = SaleFigures['latency'][number]
const bounds = [0.001, 0.01, 0.1, 1]

/** @param counts of each bucket alone; the last one is for what was slower than all of them */
function latency(call: Latency['call'], ...counts: number[]): Latency {
  let count = 0
  const buckets = bounds.map((atMostSeconds, i) => ({ atMostSeconds, count: (count += counts[i] ?? 0) }))
  return { call, buckets, count: count + (counts[bounds.length] ?? 0) }
}

const figures = (atSeconds: number, its: Partial<SaleFigures> = {}): SaleFigures => ({
  readAt: new Date(atSeconds * 1_000).toISOString(),
  items: [],
  outbox: { entries: 0, oldestSeconds: 0, persistedOrders: 0 },
  holds: { taken: 0, refused: [] },
  payments: { succeeded: 0, pending: 0, declined: 0 },
  latency: [],
  ...its,
})

void tap.test('rates are differences over the time between two answers', async (t) => {
  const before = figures(100, { holds: { taken: 1_000, refused: [{ code: 'insufficient_stock', count: 10 }] }, payments: { succeeded: 5, pending: 0, declined: 0 } })
  const now = figures(102, {
    holds: { taken: 1_500, refused: [{ code: 'insufficient_stock', count: 30 }, { code: 'limit_exceeded', count: 10 }] },
    payments: { succeeded: 9, pending: 3, declined: 1 },
    outbox: { entries: 7, oldestSeconds: 1.5, persistedOrders: 40 },
  })
  t.match(pointBetween(before, now), { atSeconds: 102, holds: 250, refusals: 15, payments: 2, persisted: 20, outboxEntries: 7, outboxSeconds: 1.5 })
})

void tap.test('two answers of one moment, and a process that was started again, make no number', async (t) => {
  t.equal(pointBetween(figures(100), figures(100)), null)
  const restarted = pointBetween(figures(100, { holds: { taken: 500, refused: [] } }), figures(102, { holds: { taken: 3, refused: [] }, outbox: null }))
  t.match(restarted, { holds: null, refusals: 0, persisted: null, outboxEntries: null, outboxSeconds: null })
})

void tap.test('latencies are those of the calls between two answers, as exact as their buckets', async (t) => {
  const between = (before: Latency, now: Latency) => pointBetween(figures(100, { latency: [before] }), figures(102, { latency: [now] }))?.latency.hold
  t.strictSame(between(latency('hold', 1_000), latency('hold', 1_000, 100)), { p50: 1 + 9 * 0.5, p99: 1 + 9 * 0.99 }, 'a hundred of 1 to 10 ms')
  t.strictSame(between(latency('hold'), latency('hold', 98, 0, 2)), { p50: 50 / 98, p99: 10 + 90 * 0.5 })
  t.strictSame(between(latency('hold'), latency('hold', 0, 0, 0, 0, 5)), { p50: 1_000, p99: 1_000 }, 'slower than all buckets: as much as the last one')
  t.strictSame(between(latency('hold', 5), latency('hold', 5)), { p50: null, p99: null }, 'none in between')
  t.strictSame(between(latency('hold', 5), latency('hold', 2)), { p50: null, p99: null }, 'a process that was started again')
  t.strictSame(between(latency('payment'), latency('payment', 3)), { p50: null, p99: null }, 'of other calls')
})

void tap.test('oversold is what was sold beyond what was allocated, by the counters or by the orders', async (t) => {
  const item = (its: Partial<AuditReport['items'][number]>) => ({ sku: 'A', allocation: 10, available: 0, held: 0, sold: 10, persisted: 10, inFlight: 0, ...its })
  t.equal(oversoldUnits({ items: [] }), 0)
  t.equal(oversoldUnits({ items: [item({}), item({ sold: 3, persisted: 3 })] }), 0, 'what one item has left excuses no other')
  t.equal(oversoldUnits({ items: [item({ sold: 12 }), item({ sold: 0, persisted: 0 })] }), 2)
  t.equal(oversoldUnits({ items: [item({ persisted: 8, inFlight: 5 })] }), 3, 'orders that nobody counted')
  t.equal(oversoldUnits({ items: [item({ sold: 12 }), item({ sold: 11 })] }), 3)
})
