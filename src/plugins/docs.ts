/**
 * The contract as a page and as OpenAPI, generated from the very schemas that the routes run on.
 */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

/** Before any route: what is registered earlier is not in the document. */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.0.3',
      info: {
        title: 'Flash-sale engine',
        version: '1',
        description:
          'Holds, carts, orders and payments of a flash sale that cannot oversell. Money is an integer of minor units; times are '
          + 'RFC 3339 in UTC. Every error is `application/problem+json` with a stable `code`. Ids of carts and orders are capabilities: '
          + 'whoever knows one may use it.',
      },
      tags: [
        { name: 'sales', description: 'Sales, items and their live stock' },
        { name: 'carts', description: 'Taking units, and giving them back' },
        { name: 'orders', description: 'Orders and their payment' },
        { name: 'payments', description: 'What the payment provider calls' },
        { name: 'admin', description: 'What an operator calls' },
        { name: 'operations', description: 'What a cluster calls' },
      ],
      components: { securitySchemes: { operator: { type: 'http', scheme: 'bearer' } } },
    },
  })
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { deepLinking: true } })
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
}
