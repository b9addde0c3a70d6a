import tap from 'tap'
import { dump } from '../redis.js'
import { refused } from './refused.js'
import { openShop } from './shop.js'

const shop = await openShop(tap)
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString()

void tap.test('a scheduled sale sells nothing, and says when it opens', async (t) => {
  const startsAt = inSeconds(100)
  const saleId = await shop.publish({ startsAt })
  const before = await dump(shop.redis)
  const reply = await shop.take(saleId, { A: 1 })
  refused(t, reply, 'sale_not_open', { startsAt })
  const wait = Number(reply.header('retry-after'))
  t.ok(wait > 90 && wait <= 100, 'and how long that is')
  t.strictSame(await dump(shop.redis), before)
  const { cartId } = await shop.cart(saleId)
  refused(t, await shop.set(cartId, 'A', 1), 'sale_not_open', { startsAt })
  await shop.later(saleId, 100)
  t.equal((await shop.set(cartId, 'A', 1)).status, 200, 'it opens by itself')
})

for (const [how, code, stop] of [
  ['paused', 'sale_not_open', (saleId: string) => shop.control(saleId, 'pause')],
  ['ended', 'sale_ended', (saleId: string) => shop.control(saleId, 'end')],
  ['run out', 'sale_ended', (saleId: string) => shop.later(saleId, 101)],
] as const) {
  void tap.test(`a sale that is ${how} takes no more units; who holds some may shrink, check out and pay`, async (t) => {
    const saleId = await shop.publish({ items: { A: 10, B: 10 }, endsAt: inSeconds(100) })
    const [first, second, third] = [await shop.cart(saleId, { A: 3, B: 1 }), await shop.cart(saleId, { A: 1 }), await shop.cart(saleId, { A: 1 })]
    const unpaid = await shop.order(saleId, { A: 2 })
    const cancelled = await shop.order(saleId, { A: 1 })
    await stop(saleId)

    refused(t, await shop.take(saleId, { A: 1 }), code)
    refused(t, await shop.set(first.cartId, 'A', 4), code)
    refused(t, await shop.set(second.cartId, 'B', 1), code)

    t.equal((await shop.set(first.cartId, 'A', 3)).status, 200, 'the same again is no growth')
    t.equal((await shop.set(first.cartId, 'A', 2)).status, 200)
    t.equal((await shop.call('DELETE', `/v1/carts/${first.cartId}/items/B`)).status, 200)
    t.equal((await shop.look(first.cartId)).status, 200)
    t.equal((await shop.call('DELETE', `/v1/carts/${third.cartId}`)).status, 204)
    const { status, body: order } = await shop.checkout(first.cartId)
    t.equal(status, 201)
    for (const { orderId } of [order, unpaid]) t.match(await shop.pay(orderId), { status: 200, body: { status: 'paid' } })
    t.equal((await shop.cancel(cancelled.orderId)).status, 204)
    t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 6, available: 5, inCarts: 1 })
  })
}

void tap.test('a paused sale goes on when it is resumed', async (t) => {
  const saleId = await shop.publish()
  await shop.control(saleId, 'pause')
  t.equal((await shop.take(saleId, {})).status, 201, 'an empty cart takes nothing')
  await shop.control(saleId, 'resume')
  t.equal((await shop.take(saleId, { A: 1 })).status, 201)
})

void tap.test('where a sale holds at checkout, a checkout after its end takes nothing', async (t) => {
  for (const [action, code] of [['pause', 'sale_not_open'], ['end', 'sale_ended']] as const) {
    const saleId = await shop.publish({ holdAt: 'checkout' })
    const { cartId } = await shop.cart(saleId, { A: 2 })
    const unpaid = await shop.order(saleId, { A: 3 })
    await shop.control(saleId, action)
    refused(t, await shop.checkout(cartId), code)
    t.equal((await shop.set(cartId, 'A', 1)).status, 200)
    t.equal((await shop.pay(unpaid.orderId)).status, 200, 'an order holds its units')
    t.strictSame((await shop.item(saleId, 'A')).stock, { quantity: 7, available: 7, inCarts: 1 })
  }
})

void tap.test('a hold outlives the end of its sale by no more than its own time', async (t) => {
  const saleId = await shop.publish({ endsAt: inSeconds(100) })
  const { cartId } = await shop.cart(saleId, { A: 1 })
  await shop.later(saleId, 600)
  refused(t, await shop.look(cartId), 'cart_expired')
  refused(t, await shop.checkout(cartId), 'cart_expired')
})

void tap.test('an operator’s pause, resume and end are refused where they make no sense', async (t) => {
  const saleId = await shop.publish()
  const scheduled = await shop.publish({ startsAt: inSeconds(100) })
  const ask = (action: string, id = saleId) => shop.operator('POST', `/sales/${id}/${action}`)
  refused(t, await ask('resume'), 'sale_state')
  t.equal((await ask('pause')).status, 200)
  refused(t, await ask('pause'), 'sale_state')
  t.equal((await ask('resume')).status, 200)
  t.equal((await ask('end')).status, 200)
  for (const action of ['pause', 'resume', 'end']) refused(t, await ask(action), 'sale_state')
  refused(t, await ask('resume', scheduled), 'sale_state')
  for (const action of ['pause', 'resume', 'end']) refused(t, await ask(action, 'nobody'), 'sale_not_found')
  refused(t, await ask('explode'), 'route_not_found')
})

void tap.test('a paused sale can be ended, and does not resume', async (t) => {
  const saleId = await shop.publish()
  await shop.control(saleId, 'pause')
  t.equal((await shop.control(saleId, 'end')).status, 'ended')
  refused(t, await shop.operator('POST', `/sales/${saleId}/resume`), 'sale_state')
})
