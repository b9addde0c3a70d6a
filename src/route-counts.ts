/**
 * How the answers of the routes are counted: in plain numbers that become metrics when somebody scrapes, by hooks that add
 * no listener to an answer. To observe each answer in prom-client costs more than most of what is done for it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { Counter, type Metric, type Registry } from 'prom-client'

declare module 'fastify' {
  interface FastifyRequest {
    /** When its headers had arrived, in ms of `performance.now()`. */
    startedMs: number
  }
  interface FastifyContextConfig {
    /** Whether the route takes its connection over, so that its answer is counted once that ends. */
    takesOver?: boolean
  }
}

/** Upper bounds of a request's duration, in seconds. */
const durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

interface RouteCounts {
  readonly method: string
  readonly route: string
  readonly byStatus: Map<number, number>
  /** How many took up to each bound and longer than the one before; the last took longer than all of them. */
  readonly byDuration: number[]
  totalSeconds: number
}

export interface CountedRoutes {
  /** Counts every answer of a route by its pattern and status, with its duration. */
  countRoutes(app: FastifyInstance): void
  /** Counts an answer that no route gave. */
  unrouted(status: number): void
}

export function createCountedRoutes(registry: Registry): CountedRoutes {
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
  registry.registerMetric(durationsOf(routes))

  function add(method: string, route: string): RouteCounts {
    const counts = { method, route, byStatus: new Map<number, number>(), byDuration: Array.from(durationBounds, () => 0).concat(0), totalSeconds: 0 }
    routes.push(counts)
    return counts
  }
  const none = add('', 'none')

  return {
    unrouted: (status) => tally(none, status),
    countRoutes(app) {
      app.decorateRequest('startedMs', 0)
      app.addHook('onRequest', (request, _reply, done) => {
        request.startedMs = performance.now()
        done()
      })
      // Hooks of its own for every route: they know its counters, and look nothing up.
      app.addHook('onRoute', (options: RouteOptions) => {
        const counts = add(String(options.method), options.url)
        const answered = ({ startedMs }: FastifyRequest, { statusCode }: FastifyReply) => {
          tally(counts, statusCode)
          time(counts, (performance.now() - startedMs) / 1_000)
        }
        if (options.config?.takesOver) {
          options.onRequest = [options.onRequest ?? [], (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
            reply.raw.once('close', () => answered(request, reply))
            done()
          }].flat()
        } else {
          options.onSend = [options.onSend ?? [], (request: FastifyRequest, reply: FastifyReply, _payload: unknown, done: () => void) => {
            answered(request, reply)
            done()
          }].flat()
        }
      })
    },
  }
}

function tally({ byStatus }: RouteCounts, status: number): void {
  byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
}

function time(counts: RouteCounts, seconds: number): void {
  let bucket = 0
  while (bucket < durationBounds.length && seconds > durationBounds[bucket]!) bucket += 1
  counts.byDuration[bucket]! += 1
  counts.totalSeconds += seconds
}

/** A histogram whose values are what the routes have counted. */
function durationsOf(routes: readonly RouteCounts[]): Metric {
  const name = 'flash_sale_http_request_duration_seconds'
  const help = 'From the headers of a request to its answer; where that is a stream of events, to its end'
  const form = { name, help, type: 'histogram', aggregator: 'sum' }
  // A registry asks no more of a metric than this; its type asks for a class of the library's own.
  return { ...form, get: async () => ({ ...form, values: routes.flatMap((route) => seriesOf(name, route)) }) } as unknown as Metric
}

function seriesOf(name: string, { method, route, byDuration, totalSeconds }: RouteCounts) {
  const labels = { method, route }
  let upTo = 0
  const buckets = byDuration.map((its, i) => {
    upTo += its
    return { metricName: `${name}_bucket`, labels: { le: durationBounds[i] ?? '+Inf', ...labels }, value: upTo }
  })
  return [...buckets, { metricName: `${name}_sum`, labels, value: totalSeconds }, { metricName: `${name}_count`, labels, value: upTo }]
}
