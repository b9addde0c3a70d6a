/** Orders: to be read, cancelled, and paid for. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { Order, OrderParams, Pay } from '../contract.js'
import type { Database, StoredOrder } from '../database.js'
import type { Engine } from '../engine/engine.js'
import type { PaymentProvider } from '../payments/provider.js'
import { isRefusal, type Refusal } from '../problems.js'
import { chargeOrder } from './charge.js'
import { refusals, refuse } from './refuse.js'
import { storedOrder } from './stored-order.js'

const tags = ['orders']

interface OrderDeps {
  engine: Engine
  database: Database
  provider: PaymentProvider
}

export const ordersRoutes: FastifyPluginAsyncTypebox<OrderDeps> = async (app, { engine, database, provider }) => {
  app.get('/v1/orders/:orderId', {
    schema: { tags, summary: 'An order in any state', params: OrderParams, response: { 200: Order, ...refusals('order_not_found') } },
  }, async (request, reply) => {
    const { orderId } = request.params
    const order = await engine.order(orderId)
    if (!isRefusal(order)) return order
    return (await storedOnMiss(order, orderId))?.order ?? refuse(reply, order)
  })

  app.delete('/v1/orders/:orderId', {
    schema: {
      tags,
      summary: 'Cancels an unpaid order and gives its units back; twice is as good as once',
      params: OrderParams,
      response: {
        204: Type.Null({ description: 'Cancelled' }),
        ...refusals('order_not_found', 'order_already_paid', 'payment_in_progress', 'order_expired'),
      },
    },
  }, async (request, reply) => {
    const { orderId } = request.params
    const refusal = await engine.cancelOrder(orderId)
    const stored = refusal && (await storedOnMiss(refusal, orderId))
    if (refusal === null || stored?.cancelled) {
      reply.statusCode = 204
      return null
    }
    if (stored === null) return refuse(reply, await lapsedWithDisk(refusal, orderId))
    return refuse(reply, { refused: stored.order.status === 'paid' ? 'order_already_paid' : 'order_expired' })
  })

  app.post('/v1/orders/:orderId/payments', {
    schema: {
      tags,
      summary: 'Takes the payment of an order; on a paid one it charges nothing',
      params: OrderParams,
      body: Pay,
      response: {
        200: Order,
        202: Order,
        ...refusals('order_not_found', 'payment_declined', 'payment_in_progress', 'order_expired', 'order_cancelled', 'insufficient_stock'),
      },
    },
  }, async (request, reply) => {
    const { orderId } = request.params
    const begun = await engine.beginPayment(orderId)
    if (isRefusal(begun)) {
      const stored = await storedOnMiss(begun, orderId)
      if (stored === null) return refuse(reply, await lapsedWithDisk(begun, orderId))
      if (stored.order.status === 'paid') return stored.order
      return refuse(reply, { refused: stored.cancelled ? 'order_cancelled' : 'order_expired' })
    }
    if (!begun.begun) return begun.order
    const charged = await chargeOrder(begun.attempt, request.body.paymentToken, engine, provider, request.log)
    if (isRefusal(charged)) return refuse(reply, charged)
    if (charged.status !== 'paid') reply.statusCode = 202
    return charged
  })

  /** An unpaid order that Redis has lost with its disk has lapsed. */
  async function lapsedWithDisk(refusal: Refusal, orderId: string): Promise<Refusal> {
    return refusal.refused === 'order_not_found' && (await engine.voided(orderId)) ? { refused: 'order_expired' } : refusal
  }

  /** @returns what Postgres has of an order that Redis does not know */
  async function storedOnMiss(refusal: Refusal, orderId: string): Promise<StoredOrder | null> {
    return refusal.refused === 'order_not_found' ? storedOrder(orderId, engine, database) : null
  }
}
