/** What customers and the provider ask of a sale, any number of them at once; and what must have come of it, once. */
import type { Cart, Order } from '../../src/contract.js'
import { formatId, newLocalId } from '../../src/ids.js'
import { refused } from '../contract/refused.js'
import { newId } from '../contract/shop.js'
import { type Caller, calling } from './cut-callers.js'
import { askAgainSeconds, type Book, type CutShop, localOf } from './cut-shop.js'

/** @returns by script, what makes a caller that runs it */
export function customersOf(shop: CutShop, book: Book) {
  const { t, dice, worker } = shop
  const { saleId, units } = book

  /** Time for the worker to ask about attempts of unknown outcome. */
  async function askProvider(): Promise<void> {
    await shop.later(saleId, askAgainSeconds)
    await worker.askProvider(saleId)
  }

  async function payment(): Promise<Caller> {
    const { orderId } = await shop.order(book, shop.anyLine(book))
    return calling(t, () => shop.pay(orderId), {
      good: 200, notYet: 409, meanwhile: askProvider,
      async done({ body }) {
        t.match(body, { orderId, status: 'paid' })
        t.match((await shop.pay(orderId)).body.payment, body.payment!, 'and charged once')
        shop.bookPaid(book, body)
      },
    })
  }

  function event(order: Order, type: string, paymentId: string, done: (after: Order) => void): Caller {
    const told = { eventId: newId('evt'), orderId: order.orderId, type, paymentId, amount: order.total.amount }
    return calling(t, () => shop.event(told), { good: 200, done: async () => done(await shop.read(order.orderId)) })
  }

  async function pending(): Promise<Order> {
    const { orderId } = await shop.order(book, shop.anyLine(book))
    return (await shop.pay(orderId, 'tok_pending')).body
  }

  /** The last key that made a cart: now and then another request has it as well. */
  let twin: { readonly key: string; readonly sku: string; readonly quantity: number } | undefined

  const holds = [
    async () => {
      const wanted = twin !== undefined && !book.keys.has(twin.key) && dice.chance(50) ? twin : { key: newId('key'), ...shop.anyLine(book) }
      twin = wanted
      const { key, sku, quantity } = wanted
      return calling<Cart>(t, () => shop.take(saleId, { [sku]: quantity }, key), {
        good: 201,
        async done({ body }) {
          t.equal((await shop.take(saleId, { [sku]: quantity }, key)).body.cartId, body.cartId)
          const known = book.keys.get(key)
          if (known !== undefined) return void t.equal(localOf(body.cartId), known, 'twins have one cart')
          book.keys.set(key, localOf(body.cartId))
          shop.bookCart(book, body, wanted)
        },
      })
    },
    async () => {
      const line = shop.anyLine(book)
      const { cartId } = await shop.cart(book, line)
      const quantity = 1 + dice.below(5)
      return calling<Cart>(t, () => shop.set(cartId, line.sku, quantity), {
        good: 200,
        done({ body }) {
          t.match(body.items, [{ sku: line.sku, quantity }])
          units.get(line.sku)!.inCarts += quantity - line.quantity
        },
      })
    },
  ]

  const removals = [
    async () => {
      const { sku, quantity } = shop.anyLine(book)
      const { cartId } = await shop.cart(book, { sku, quantity })
      return calling(t, () => shop.call('DELETE', `/v1/carts/${cartId}`), {
        good: 204, already: [404],
        async done() {
          refused(t, await shop.look(cartId), 'cart_not_found')
          book.carts.delete(localOf(cartId))
          units.get(sku)!.inCarts -= quantity
        },
      })
    },
    async () => {
      const { sku, quantity } = shop.anyLine(book)
      const { cartId } = await shop.cart(book, { sku, quantity })
      const ask = dice.chance(50) ? () => shop.set(cartId, sku, 0) : () => shop.call<Cart>('DELETE', `/v1/carts/${cartId}/items/${sku}`)
      return calling<Cart>(t, ask, {
        good: 200,
        done({ body }) {
          t.strictSame(body.items, [])
          units.get(sku)!.inCarts -= quantity
        },
      })
    },
  ]

  const settlements = [
    payment,
    async () => {
      const order = await pending()
      return event(order, 'payment.succeeded', order.payment!.paymentId, (after) => {
        t.match(after, { status: 'paid', payment: { paymentId: order.payment!.paymentId } })
        shop.bookPaid(book, after)
      })
    },
    async () => {
      const order = await pending()
      return event(order, 'payment.failed', order.payment!.paymentId, (after) => t.equal(after.status, 'awaiting_payment', 'payable again'))
    },
    async () => {
      const order = await shop.buyOne(book, shop.anyLine(book))
      const paymentId = newId('page')
      return event(order, 'payment.succeeded', paymentId, (after) => {
        t.match(after, { status: 'paid', payment: order.payment! }, 'a second success goes back')
        shop.taken.add(paymentId)
      })
    },
  ]

  return {
    hold: () => dice.pick(holds)(),
    remove: () => dice.pick(removals)(),

    async read() {
      const line = shop.anyLine(book)
      const { cartId } = await shop.cart(book, line)
      return calling(t, () => shop.look(cartId), { good: 200, done: ({ body }) => void t.match(body.items, [line]) })
    },

    async checkout() {
      const { cartId } = await shop.cart(book, shop.anyLine(book))
      return calling<Order>(t, () => shop.checkout(cartId), {
        good: 201, already: [200],
        async done({ body }) {
          t.equal(localOf(body.orderId), localOf(cartId))
          t.match(await shop.checkout(cartId), { status: 200, body: { orderId: body.orderId, createdAt: body.createdAt } })
          shop.bookOrder(book, body)
        },
      })
    },

    begin: payment,
    settle: () => dice.pick(settlements)(),

    async cancel() {
      const { orderId, items: [line] } = await shop.order(book, shop.anyLine(book))
      return calling(t, () => shop.cancel(orderId), {
        good: 204,
        async done() {
          t.equal((await shop.read(orderId)).status, 'cancelled')
          units.get(line!.sku)!.inOrders -= line!.quantity
        },
      })
    },

    async stray() {
      const paymentId = newId('page')
      const told = { eventId: newId('evt'), paymentId, orderId: formatId('o', { saleId: newId('gone'), shard: 0 }, 1, newLocalId()) }
      return calling(t, () => shop.event(told), { good: 200, done: () => void shop.taken.add(paymentId) })
    },
  }
}
