/** What a cluster calls: whether the process lives, whether it can serve, and what it measures. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { Health, Readiness } from '../contract.js'
import type { Database } from '../database.js'
import type { Engine } from '../engine/engine.js'
import { unlimited } from '../plugins/limits.js'
import { Problem } from '../problems.js'
import { within } from '../within.js'
import { problemType, refuse, unavailable } from './refuse.js'

/** How long a store may take to show that it is there, in ms. */
const checkMs = 500
const tags = ['operations']
const { status: _, ...parts } = Readiness.properties
const NotReady = Type.Object({ ...Problem.properties, ...parts })

export const operationsRoutes: FastifyPluginAsyncTypebox<{ engine: Engine; database: Database }> = async (app, { engine, database }) => {
  app.get('/healthz', {
    config: unlimited,
    schema: { tags, summary: 'The process lives', response: { 200: Health } },
  }, () => ({ status: 'ok' as const }))

  app.get('/readyz', {
    config: unlimited,
    schema: {
      tags,
      summary: 'Redis serves; a sale goes on without Postgres and without a worker, so those are only named',
      response: { 200: Readiness, 503: { description: '`unavailable`', content: { [problemType]: { schema: NotReady } } } },
    },
  }, async (_request, reply) => {
    const [redis, dead, worker] = await Promise.all([
      // One that has lost its sales answers every customer with 503, however well it answers a ping.
      holds(engine.assertWhole().then(() => true)),
      within(checkMs, database.countDeadOrders()).catch(() => null),
      holds(engine.workerSeen()),
    ])
    const postgres = dead !== null
    const told = { redis, postgres, worker, ...(dead === null ? {} : { deadOrders: dead }) }
    if (redis) return { status: postgres && worker && dead === 0 ? 'ready' as const : 'degraded' as const, ...told }
    return { ...refuse(reply, unavailable, 'Redis does not serve, or has lost its sales.'), ...told }
  })

  app.get('/metrics', {
    config: unlimited,
    schema: {
      tags,
      summary: 'Prometheus metrics',
      response: { 200: { description: 'The text format of Prometheus.', content: { 'text/plain': { schema: Type.String() } } } },
    },
  }, async (_request, reply) => {
    reply.type(app.metrics.contentType)
    return app.metrics.scrape()
  })
}

/** @returns whether a check came out well in time */
async function holds(check: Promise<boolean>): Promise<boolean> {
  try {
    return await within(checkMs, check)
  } catch {
    return false
  }
}
