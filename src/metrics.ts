/**
 * What a process tells Prometheus. What happens on every request is counted in plain numbers, and becomes
 * metrics only when somebody scrapes.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ProblemCode } from './problems.js'
import { type CountedRoutes, createCountedRoutes } from './route-counts.js'

/** What waits in the outbox of a sale, and what has left it for Postgres. */
export interface OutboxState {
  readonly saleId: string
  readonly length: number
  /** Unix milliseconds of the entry that waits longest, null when none does. */
  readonly oldestMs: number | null
  /** Orders persisted so far. */
  readonly persisted: number
}

export interface Metrics extends CountedRoutes {
  readonly contentType: string
  /** @returns what a scrape is answered with */
  scrape(): Promise<string>
  /** Counts a request that took units, or was refused them. */
  held(result: 'taken' | ProblemCode): void
  refused(code: ProblemCode): void
  /** For the engine: how many requests went to Redis in one call of a script. */
  batch(script: string, size: number): void
  /** Reads the outboxes at every scrape. `read` has to be bounded in time; where it fails, the scrape goes on without. */
  watchOutboxes(read: () => Promise<readonly OutboxState[]>): void
  /** Counts those who watch a sale, at every scrape. */
  watchWatchers(count: () => number): void
  /** Counts a watcher that was dropped because it read too slowly. */
  dropped(): void
  /** Adds the process' own memory, CPU and event loop. */
  watchProcess(): void
}

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Metrics
  }
}

/** @param ofAll where this process is one of several: what reads the metrics of all of them */
export function createMetrics(ofAll?: (own: Registry) => () => Promise<string>): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const held = tally(registry, 'flash_sale_holds_total', 'Requests to take units, by result', 'result')
  const refused = tally(registry, 'flash_sale_refusals_total', 'Refusals, by code', 'code')
  const batches = new Histogram({
    name: 'flash_sale_batch_size',
    help: 'Requests that went to Redis in one call of a script',
    labelNames: ['script'],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    registers,
  })
  const slow = new Counter({ name: 'flash_sale_watchers_dropped_total', help: 'Watchers that were dropped because they read too slowly', registers })
  return {
    contentType: registry.contentType,
    scrape: ofAll === undefined ? () => registry.metrics() : ofAll(registry),
    held,
    refused,
    batch: (script, size) => batches.observe({ script }, size),
    ...createCountedRoutes(registry),
    watchOutboxes: (read) => watchOutboxes(registry, read),
    watchWatchers(count) {
      const watchers: Gauge = new Gauge({ name: 'flash_sale_watchers', help: 'Streams of events that are open', registers, collect: () => watchers.set(count()) })
    },
    dropped: () => slow.inc(),
    watchProcess: () => collectDefaultMetrics({ register: registry }),
  }
}

/** A counter with one label that costs an addition where it is counted. */
function tally(registry: Registry, name: string, help: string, label: string): (value: string) => void {
  const counts = new Map<string, number>()
  const counter = new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect: () => {
      counter.reset()
      for (const [value, count] of counts) counter.inc({ [label]: value }, count)
    },
  })
  return (value) => { counts.set(value, (counts.get(value) ?? 0) + 1) }
}

function watchOutboxes(registry: Registry, read: () => Promise<readonly OutboxState[]>): void {
  // Every process reads the same outboxes: of several, one counts.
  const shared = { labelNames: ['sale'], registers: [registry], aggregator: 'max' as const }
  // A scrape asks all of its metrics in one go, and one reading serves the three.
  let reading: Promise<readonly OutboxState[]> | null = null
  const outboxes = () => (reading ??= read().catch(() => []).finally(() => { reading = null }))

  const length = new Gauge({
    ...shared,
    name: 'flash_sale_outbox_length',
    help: 'Entries that Postgres lacks',
    collect: async () => {
      const all = await outboxes()
      length.reset()
      for (const outbox of all) length.set({ sale: outbox.saleId }, outbox.length)
    },
  })
  const oldest = new Gauge({
    ...shared,
    name: 'flash_sale_outbox_oldest_seconds',
    help: 'Age of the oldest entry that Postgres lacks',
    collect: async () => {
      const all = await outboxes()
      oldest.reset()
      for (const outbox of all) oldest.set({ sale: outbox.saleId }, ageSeconds(outbox.oldestMs))
    },
  })
  const persisted = new Counter({
    ...shared,
    name: 'flash_sale_orders_persisted_total',
    help: 'Orders that Postgres has',
    collect: async () => {
      const all = await outboxes()
      persisted.reset()
      for (const outbox of all) persisted.inc({ sale: outbox.saleId }, outbox.persisted)
    },
  })
}

function ageSeconds(sinceMs: number | null): number {
  return sinceMs === null ? 0 : Math.max(0, Date.now() - sinceMs) / 1_000
}
