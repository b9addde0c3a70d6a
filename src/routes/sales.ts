/** Sales and their items, as a storefront reads them: live, never cached. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Sale, SaleItem, SaleItemParams, SaleList, SaleParams } from '../contract.js'
import type { Engine } from '../engine/engine.js'
import { isRefusal } from '../problems.js'
import { refusals, refuse } from './refuse.js'
import { sendLook } from './share.js'

const tags = ['sales']

export const salesRoutes: FastifyPluginAsyncTypebox<{ engine: Engine }> = async (app, { engine }) => {
  app.get('/v1/sales', {
    schema: { tags, summary: 'Published sales, without their items', response: { 200: SaleList, ...refusals('overloaded') } },
  }, async (_request, reply) => {
    const sales = await engine.sales()
    return isRefusal(sales) ? refuse(reply, sales) : { sales }
  })

  app.get('/v1/sales/:saleId', {
    schema: {
      tags,
      summary: 'A sale with every item and its live stock',
      params: SaleParams,
      response: { 200: Sale, ...refusals('sale_not_found') },
    },
  }, async (request, reply) => {
    const sale = await engine.sale(request.params.saleId)
    return isRefusal(sale) ? refuse(reply, sale) : sendLook(reply, sale)
  })

  app.get('/v1/sales/:saleId/items/:sku', {
    schema: {
      tags,
      summary: 'One item of a sale and its live stock',
      params: SaleItemParams,
      response: { 200: SaleItem, ...refusals('sale_not_found', 'item_not_found') },
    },
  }, async (request, reply) => {
    const item = await engine.item(request.params.saleId, request.params.sku)
    return isRefusal(item) ? refuse(reply, item) : sendLook(reply, item)
  })
}
