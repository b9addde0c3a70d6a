/**
 * Carts: taking units, and giving them back. `POST …/carts` is the way that a flash sale runs on: it awaits
 * the engine once, and hands on what it answers.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { Cart, CartLineParams, CartParams, Checkout, CreateCart, IdempotencyHeaders, type LineRequest, Order, SaleParams, SetLine } from '../contract.js'
import type { Database } from '../database.js'
import type { Engine } from '../engine/engine.js'
import { bodyMayBeMissing } from '../plugins/json.js'
import { isRefusal } from '../problems.js'
import { trimCustomer } from './customer.js'
import { orderOfCart } from './stored-order.js'
import { refusals, refuse, refuseAlike } from './refuse.js'
import { sendAlike } from './share.js'

const tags = ['carts']
const nothing: readonly LineRequest[] = []
const short = ['insufficient_stock', 'sale_not_open', 'sale_ended', 'limit_exceeded', 'overloaded'] as const
const gone = ['cart_not_found', 'cart_expired'] as const

export const cartsRoutes: FastifyPluginAsyncTypebox<{ engine: Engine; database: Database }> = async (app, { engine, database }) => {
  const { metrics } = app

  app.post('/v1/sales/:saleId/carts', {
    preValidation: bodyMayBeMissing,
    schema: {
      tags,
      summary: 'Makes a cart, and takes all of the items or none',
      params: SaleParams,
      headers: IdempotencyHeaders,
      body: CreateCart,
      response: { 201: Cart, ...refusals('sale_not_found', 'item_not_found', ...short, 'idempotency_key_reused', ...gone) },
    },
  }, async (request, reply) => {
    const lines = request.body.items ?? nothing
    const cart = await engine.createCart(request.params.saleId, lines, request.headers['idempotency-key'])
    if (isRefusal(cart)) {
      metrics.held(cart.refused)
      return refuseAlike(reply, cart)
    }
    if (lines.length > 0) metrics.held('taken')
    reply.statusCode = 201
    reply.header('location', `/v1/carts/${cart.cartId}`)
    return 'first' in cart ? sendAlike(reply, cart) : cart
  })

  app.get('/v1/carts/:cartId', {
    schema: { tags, summary: 'A cart with the live stock of its lines', params: CartParams, response: { 200: Cart, ...refusals(...gone) } },
  }, async (request, reply) => {
    const cart = await engine.cart(request.params.cartId)
    return isRefusal(cart) ? refuse(reply, cart) : cart
  })

  app.put('/v1/carts/:cartId/items/:sku', {
    schema: {
      tags,
      summary: 'Sets a line to a quantity; 0 removes it',
      params: CartLineParams,
      body: SetLine,
      response: { 200: Cart, ...refusals(...gone, 'item_not_found', 'cart_checked_out', ...short) },
    },
  }, async (request, reply) => {
    const cart = await engine.setLine(request.params.cartId, request.params.sku, request.body.quantity)
    if (isRefusal(cart)) {
      metrics.held(cart.refused)
      return refuse(reply, cart)
    }
    if (request.body.quantity > 0) metrics.held('taken')
    return cart
  })

  app.delete('/v1/carts/:cartId/items/:sku', {
    schema: {
      tags,
      summary: 'Removes a line',
      params: CartLineParams,
      response: { 200: Cart, ...refusals(...gone, 'item_not_found', 'cart_checked_out') },
    },
  }, async (request, reply) => {
    const cart = await engine.setLine(request.params.cartId, request.params.sku, 0)
    return isRefusal(cart) ? refuse(reply, cart) : cart
  })

  app.delete('/v1/carts/:cartId', {
    schema: {
      tags,
      summary: 'Gives everything back; the cart is gone then',
      params: CartParams,
      response: { 204: Type.Null({ description: 'Given back' }), ...refusals(...gone, 'cart_checked_out') },
    },
  }, async (request, reply) => {
    const refusal = await engine.removeCart(request.params.cartId)
    if (refusal !== null) return refuse(reply, refusal)
    reply.statusCode = 204
    return null
  })

  app.post('/v1/carts/:cartId/checkout', {
    schema: {
      tags,
      summary: 'Turns a cart into an order awaiting payment; repeated, it answers with the same order as it is now',
      params: CartParams,
      body: Checkout,
      response: { 200: Order, 201: Order, ...refusals(...gone, 'cart_empty', ...short) },
    },
  }, async (request, reply) => {
    const { cartId } = request.params
    const customer = trimCustomer(request.body.customer)
    if (isRefusal(customer)) return refuse(reply, customer)
    const checkedOut = await engine.checkout(cartId, customer)
    if (isRefusal(checkedOut)) {
      // A paid cart is gone from Redis, and in the end its order is too; a repeated checkout is answered none the less.
      const { refused } = checkedOut
      const isGone = refused === 'cart_not_found' || (refused === 'cart_expired' && (await engine.voided(cartId)))
      const order = isGone ? await orderOfCart(cartId, engine, database) : null
      return order ?? refuse(reply, checkedOut)
    }
    if (!checkedOut.repeated) {
      reply.statusCode = 201
      reply.header('location', `/v1/orders/${checkedOut.order.orderId}`)
    }
    return checkedOut.order
  })
}
