/**
 * Payment events. The signature is over the bytes as they came, so this scope keeps them until the request
 * has been checked.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { IncomingMessage } from 'node:http'
import { EventReceived, PaymentEvent, PaymentEventHeaders } from '../contract.js'
import type { Engine } from '../engine/engine.js'
import { verifySignature } from '../payments/webhook.js'
import { parseJson } from '../plugins/json.js'
import { refusals, refuse } from './refuse.js'

const received = { received: true } as const
const noBytes = new Uint8Array()

export const paymentsRoutes: FastifyPluginAsyncTypebox<{ engine: Engine; secrets: readonly string[] }> = async (app, { engine, secrets }) => {
  const bytes = new WeakMap<IncomingMessage, Uint8Array>()
  parseJson(app, (request, body) => bytes.set(request.raw, body))

  app.post('/v1/payments/events', {
    schema: {
      tags: ['payments'],
      summary: 'A signed event of the payment provider; applied before the 200, and again 200 for a duplicate',
      headers: PaymentEventHeaders,
      body: PaymentEvent,
      response: { 200: EventReceived, ...refusals('unauthorized') },
    },
    preHandler: async (request, reply) => {
      const signature = request.headers['payment-signature']
      if (!verifySignature(signature, bytes.get(request.raw) ?? noBytes, secrets, Date.now() / 1_000)) {
        return reply.send(refuse(reply, { refused: 'unauthorized' }))
      }
    },
  }, async (request) => {
    const { type, orderId, paymentId, amount, currency } = request.body
    await engine.settlePayment({ paymentId, orderId, amount, currency }, type === 'payment.succeeded' ? 'succeeded' : 'declined')
    return received
  })
}
