/** What an operator calls: the catalogue, sales, and adjustments of stock. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  Adjust, Adjustment, AuditReport, CatalogueItem, IdempotencyHeaders, ItemParams, NoBody, PublishSale, PutItem, Sale, SaleParams,
} from '../contract.js'
import { audit } from '../audit.js'
import type { Database } from '../database.js'
import type { Engine } from '../engine/engine.js'
import { bodyMayBeMissing } from '../plugins/json.js'
import { isRefusal } from '../problems.js'
import { within } from '../within.js'
import { operatorOnly } from './credentials.js'
import { planSale } from './plan.js'
import { refusals, refuse } from './refuse.js'

/** Room for 10,000 items, in bytes. */
const publishBodyLimit = 1_835_008
/** How long a call that Redis has already carried out waits for Postgres to note it, in ms. */
const noteMs = 1_000

export interface AdminDeps {
  engine: Engine
  database: Database
  adminToken: string | null
}

export const adminRoutes: FastifyPluginAsyncTypebox<AdminDeps> = async (app, { engine, database, adminToken }) => {
  const common = { tags: ['admin'], security: [{ operator: [] }] }
  const operator = operatorOnly(adminToken)

  app.put('/v1/admin/items/:sku', {
    preHandler: operator,
    schema: {
      ...common,
      summary: 'Makes or changes an item of the catalogue',
      params: ItemParams,
      body: PutItem,
      response: { 200: CatalogueItem, 201: CatalogueItem, ...refusals('unauthorized', 'item_exists') },
    },
  }, async (request, reply) => {
    const put = await database.putItem(request.params.sku, request.body)
    if (isRefusal(put)) return refuse(reply, put)
    if (put.created) {
      reply.statusCode = 201
      reply.header('location', `/v1/admin/items/${put.item.sku}`)
    }
    return put.item
  })

  app.get('/v1/admin/items/:sku', {
    preHandler: operator,
    schema: {
      ...common,
      summary: 'An item as the store has it: its stock less every unit paid and persisted',
      params: ItemParams,
      response: { 200: CatalogueItem, ...refusals('unauthorized', 'item_not_found') },
    },
  }, async (request, reply) => await database.item(request.params.sku) ?? refuse(reply, { refused: 'item_not_found' }))

  app.post('/v1/admin/items/:sku/adjustments', {
    preHandler: operator,
    schema: {
      ...common,
      summary: 'Restocks or shrinks, in the ledger, and live in the sale named',
      params: ItemParams,
      headers: IdempotencyHeaders,
      body: Adjust,
      response: {
        201: Adjustment,
        ...refusals('unauthorized', 'item_not_found', 'sale_not_found', 'below_committed', 'sale_state', 'idempotency_key_reused'),
      },
    },
  }, async (request, reply) => {
    const { delta } = request.body
    const stored = await database.adjust({ ...request.body, sku: request.params.sku, idempotencyKey: request.headers['idempotency-key'] })
    if (isRefusal(stored)) return refuse(reply, stored)
    const { adjustment: { adjustmentId, saleId, sku }, adjustment, toRedis } = stored
    if (toRedis && saleId !== null) {
      const refusal = await engine.adjust(saleId, sku, delta, adjustmentId)
      // A restock is in the ledger; a sale that has closed meanwhile needs no units, and they are the store's.
      const isDone = refusal === null || (delta > 0 && refusal.refused === 'sale_state')
      if (!isDone) {
        // A shrink that the running sale refused never was; a restock is taken on by a retry.
        if (delta < 0) await database.deleteAdjustment(adjustmentId)
        return refuse(reply, refusal)
      }
      await noted('an adjustment', refusal === null ? database.markAdjustmentInRedis(adjustmentId) : database.keepAdjustmentInStore(adjustmentId))
    }
    reply.statusCode = 201
    return adjustment
  })

  app.post('/v1/admin/sales', {
    bodyLimit: publishBodyLimit,
    // What only code can check is checked before the credentials too: the contract's order of refusals.
    preHandler: [async (request, reply) => {
      const plan = planSale(request.body, Date.now())
      if (isRefusal(plan)) return reply.send(refuse(reply, plan))
    }, operator],
    schema: {
      ...common,
      summary: 'Publishes a sale: open at once, or at `startsAt`',
      body: PublishSale,
      response: { 201: Sale, ...refusals('unauthorized', 'item_not_found', 'sale_exists', 'over_allocated') },
    },
  }, async (request, reply) => {
    const plan = planSale(request.body, Date.now())
    if (isRefusal(plan)) return refuse(reply, plan)
    await engine.assertWhole()
    // Postgres first: were this cut in between, a worker would publish what is stored.
    const definition = await database.createSale(plan)
    if (isRefusal(definition)) return refuse(reply, definition)
    const { startsAtMs } = await engine.publish(definition)
    await noted('a published sale', database.markPublished(definition.saleId, startsAtMs))
    const sale = await engine.sale(definition.saleId)
    if (isRefusal(sale)) return refuse(reply, sale)
    reply.statusCode = 201
    reply.header('location', `/v1/sales/${definition.saleId}`)
    return sale
  })

  for (const action of ['pause', 'resume', 'end'] as const) {
    app.post(`/v1/admin/sales/:saleId/${action}`, {
      preValidation: bodyMayBeMissing,
      preHandler: operator,
      schema: {
        ...common,
        summary: `${action}s a sale at once`,
        params: SaleParams,
        body: NoBody,
        response: { 200: Sale, ...refusals('unauthorized', 'sale_not_found', 'sale_state') },
      },
    }, async (request, reply) => {
      const { saleId } = request.params
      const done = await engine.control(saleId, action)
      if (isRefusal(done)) {
        if (done.refused === 'sale_state') await noteState(saleId)
        return refuse(reply, done)
      }
      if (action !== 'end') await noted('a pause', database.setSalePaused(saleId, action === 'pause'))
      if (action === 'end' && done.endsAtMs !== null) await noted('the end of a sale', database.setSaleEnd(saleId, done.endsAtMs))
      const sale = await engine.sale(saleId)
      return isRefusal(sale) ? refuse(reply, sale) : sale
    })
  }

  app.get('/v1/admin/sales/:saleId/audit', {
    preHandler: operator,
    schema: {
      ...common,
      summary: 'Holds a sale against its promises, while it runs',
      params: SaleParams,
      response: { 200: AuditReport, ...refusals('unauthorized', 'sale_not_found') },
    },
  }, async (request, reply) => {
    const report = await audit(request.params.saleId, engine, database)
    return isRefusal(report) ? refuse(reply, report) : report
  })

  /** A call that makes no sense any more may be the repetition of one whose answer was lost, and of which Postgres never heard. */
  async function noteState(saleId: string): Promise<void> {
    const sale = await engine.sale(saleId)
    if (isRefusal(sale)) return
    if (sale.status !== 'ended') await noted('a pause', database.setSalePaused(saleId, sale.status === 'paused'))
    else if (sale.endsAt !== null) await noted('the end of a sale', database.setSaleEnd(saleId, Date.parse(sale.endsAt)))
  }

  /** Redis has done it and the sale goes by it; Postgres, which may be down, is told as well as can be. */
  async function noted(what: string, note: Promise<void>): Promise<void> {
    try {
      await within(noteMs, note)
    } catch (error) {
      app.log.warn({ err: error }, `Postgres has not noted ${what} yet`)
    }
  }
}
