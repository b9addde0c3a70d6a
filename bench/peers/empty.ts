/**
 * What the API is compared with: routes that do nothing. Plain Fastify with the schemas of the API's bodies and answers, and no
 * store. Each route answers with a constant object, one that the API itself has answered with.
 *
 * Argument: the answers, as JSON.
 */
import type { Cart, Sale, SaleItem } from '../../src/contract.js'
import * as contract from '../../src/contract.js'
import { plainServer, serve } from './server.js'

export interface Answers {
  readonly cart?: Cart
  readonly sale?: Sale
  readonly item?: SaleItem
}

const { cart, sale, item } = JSON.parse(process.argv[2] ?? '{}') as Answers
const app = plainServer()
if (cart !== undefined) {
  app.post('/v1/sales/:saleId/carts', { schema: { body: contract.CreateCart, response: { 201: contract.Cart } } }, async (_request, reply) => {
    reply.statusCode = 201
    return cart
  })
}
if (sale !== undefined) {
  app.get('/v1/sales/:saleId', { schema: { response: { 200: contract.Sale } } }, async () => sale)
}
if (item !== undefined) {
  app.get('/v1/sales/:saleId/items/:sku', { schema: { response: { 200: contract.SaleItem } } }, async () => item)
}
await serve(app)
