/**
 * What a hold is compared with: a POST that does nothing. Plain Fastify with the server options of the API, the schema of
 * its body and the schema of its answer; no plugin, no hook, no metrics, no parser of its own, no store. It
 * answers the same 201 with a constant cart.
 */
import fastify from 'fastify'
import { Cart, CreateCart } from '../src/contract.js'

const cart: Cart = {
  cartId: 'c.bench-open.0.1.AAAAAAAAAAAAAAAAAAAAAA',
  saleId: 'bench-open',
  status: 'open',
  expiresAt: '2030-01-01T00:00:00.000Z',
  items: [{
    sku: 'bench-hot',
    name: 'The item that everybody wants',
    quantity: 1,
    unitPrice: { amount: 1_999, currency: 'USD' },
    lineTotal: { amount: 1_999, currency: 'USD' },
    stock: { quantity: 500_000_000, available: 499_900_000, inOtherCarts: 99_999 },
    lowStock: false,
    mayReturnAt: null,
  }],
  total: { amount: 1_999, currency: 'USD' },
  orderId: null,
}

const app = fastify({
  logger: false,
  bodyLimit: 65_536,
  requestTimeout: 8_000,
  http: { headersTimeout: 8_000, connectionsCheckingInterval: 1_000, maxHeaderSize: 16_384 },
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false, strict: true } },
})
app.post('/v1/sales/:saleId/carts', { schema: { body: CreateCart, response: { 201: Cart } } }, async (_request, reply) => {
  reply.statusCode = 201
  return cart
})

process.on('disconnect', () => process.exit())
await app.listen({ host: '127.0.0.1', port: 0 })
const address = app.server.address()
process.send?.({ port: address !== null && typeof address === 'object' ? address.port : 0 })
