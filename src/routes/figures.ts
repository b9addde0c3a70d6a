/** What an operator watches while a sale runs. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { SaleFigures, SaleParams } from '../contract.js'
import type { Engine } from '../engine/engine.js'
import { readFigures } from '../figures.js'
import { isRefusal } from '../problems.js'
import { operatorOnly } from './credentials.js'
import { refusals, refuse } from './refuse.js'

/** How long one scrape serves everybody who asks this process, in ms. */
const scrapeMs = 1_000

interface Scrape {
  readonly atMs: number
  readonly text: Promise<string>
}

export const figuresRoutes: FastifyPluginAsyncTypebox<{ engine: Engine; adminToken: string | null }> = async (app, { engine, adminToken }) => {
  let last: Scrape | null = null

  function scrape(): Scrape {
    const nowMs = Date.now()
    if (last !== null && nowMs >= last.atMs && nowMs - last.atMs < scrapeMs) return last
    last = { atMs: nowMs, text: app.metrics.scrape() }
    return last
  }

  app.get('/v1/admin/sales/:saleId/figures', {
    preHandler: operatorOnly(adminToken),
    schema: {
      tags: ['admin'],
      security: [{ operator: [] }],
      summary: 'What a sale and the API count, for drawing them over time',
      description: 'Holds, payments and latencies are of the API processes on this port, since they were started; what is measured is read at most once a second, however many ask.',
      params: SaleParams,
      response: { 200: SaleFigures, ...refusals('unauthorized', 'sale_not_found') },
    },
  }, async (request, reply) => {
    const { saleId } = request.params
    const items = await engine.counters(saleId)
    if (isRefusal(items)) return refuse(reply, items)
    const { atMs, text } = scrape()
    return { readAt: new Date(atMs).toISOString(), items, ...readFigures(await text, saleId) }
  })
}
