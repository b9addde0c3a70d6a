/**
 * What a process tells Prometheus. What happens on every request is counted in plain numbers, and becomes
 * metrics only when somebody scrapes.
 */
import type { FastifyInstance, RouteOptions } from 'fastify'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ProblemCode } from './problems.js'

/** What waits in the outbox of a sale, and what has left it for Postgres. */
export interface OutboxState {
  readonly saleId: string
  readonly length: number
  /** Unix milliseconds of the entry that waits longest, null when none does. */
  readonly oldestMs: number | null
  /** Orders persisted so far. */
  readonly persisted: number
}

export interface Metrics {
  readonly contentType: string
  /** @returns what a scrape is answered with */
  scrape(): Promise<string>
  /** Counts a request that took units, or was refused them. */
  held(result: 'taken' | ProblemCode): void
  refused(code: ProblemCode): void
  /** For the engine: how many requests went to Redis in one call of a script. */
  batch(script: string, size: number): void
  /** Counts every answer of a route by its pattern and status, with its duration. */
  countRoutes(app: FastifyInstance): void
  /** Counts an answer that no route gave. */
  unrouted(status: number): void
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

/** Upper bounds of a request's duration, in seconds. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

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
  const requests = countRequests(registry)
  return {
    contentType: registry.contentType,
    scrape: ofAll === undefined ? () => registry.metrics() : ofAll(registry),
    held,
    refused,
    batch: (script, size) => batches.observe({ script }, size),
    countRoutes: requests.countRoutes,
    unrouted: requests.unrouted,
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

interface RouteCounts {
  readonly method: string
  readonly route: string
  readonly byStatus: Map<number, number>
}

function countRequests(registry: Registry): Pick<Metrics, 'countRoutes' | 'unrouted'> {
  const routes: RouteCounts[] = []
  const requests = new Counter({
    name: 'flash_sale_http_requests_total',
    help: 'Answers, by route pattern and status',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
    collect: () => {
      requests.reset()
      for (const { method, route, byStatus } of routes) {
        for (const [status, count] of byStatus) requests.inc({ method, route, status }, count)
      }
    },
  })
  const durations = new Histogram({
    name: 'flash_sale_http_request_duration_seconds',
    help: 'From the headers of a request to the end of its answer',
    labelNames: ['method', 'route'],
    buckets: durationBuckets,
    registers: [registry],
  })

  function countRoute(method: string, route: string): Map<number, number> {
    const byStatus = new Map<number, number>()
    routes.push({ method, route, byStatus })
    return byStatus
  }
  const unrouted = countRoute('', 'none')

  return {
    unrouted: (status) => increment(unrouted, status),
    countRoutes: (app) => {
      // A hook of its own for every route: it knows its counters, and looks nothing up.
      app.addHook('onRoute', (options: RouteOptions) => {
        const method = String(options.method)
        const byStatus = countRoute(method, options.url)
        const duration = durations.labels(method, options.url)
        const others = options.onResponse === undefined ? [] : [options.onResponse].flat()
        options.onResponse = [...others, (_request, reply, done) => {
          increment(byStatus, reply.statusCode)
          duration.observe(reply.elapsedTime / 1_000)
          done()
        }]
      })
    },
  }
}

function increment(byStatus: Map<number, number>, status: number): void {
  byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
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
