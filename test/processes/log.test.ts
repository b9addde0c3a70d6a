/** What the processes write down: what an operator must know, and no id or customer that nobody else is to know of. */
import tap from 'tap'
import { freshDatabase, runOn } from '../postgres.js'
import { persisted } from '../races/accounts.js'
import { forward, portOf, through } from '../races/forwarder.js'
import { atWork, startApi, startWorker, type Stores, until } from '../races/processes.js'
import { call, cancelOrder, checkOut, customer, good, openCart, pay, publish, readCart, readiness, readOrder, ready, removeCart, setLine, tell, ware } from '../races/shop.js'
import { freshRedis } from '../redis.js'

const { redis, url: redisUrl } = await freshRedis(tap)
const databaseUrl = await freshDatabase(tap)

tap.test('in production, whoever starts is told loudly that no money moves; elsewhere that is no news', async (t) => {
  const told = /PAYMENTS ARE IN THE SANDBOX/
  for (const NODE_ENV of ['production', 'development']) {
    const [worker, api] = [startWorker(t, { redisUrl, databaseUrl }, { NODE_ENV }), await startApi(t, { redisUrl, databaseUrl }, { NODE_ENV })]
    await Promise.all([atWork(worker), ready(api.url)])
    for (const { lines } of [worker, api]) {
      const loud = lines.filter((line) => told.test(line))
      t.equal(loud.length, NODE_ENV === 'production' ? 1 : 0, lines.join('\n'))
      for (const line of loud) t.match(JSON.parse(line), { level: 40 }, 'a warning, which no usual level hides')
    }
    await Promise.all([api.stop(), worker.stop()])
  }
})

tap.test('no line holds an id in full, nor the customer, whatever goes well or wrong during a purchase', async (t) => {
  const line = await forward(t, portOf(redisUrl, 6379))
  const stores: Stores = { redisUrl: through(redisUrl, line), databaseUrl }
  const settings = { LOG_LEVEL: 'trace' }
  const [worker, api] = [startWorker(t, stores, settings), await startApi(t, stores, settings)]
  const { url } = api
  await Promise.all([atWork(worker), ready(url)])
  const { saleId } = await publish(url, [ware('mug', 50)])
  const ids: string[] = []
  const openOrder = async () => {
    const { cartId } = good(await openCart(url, saleId, [{ sku: 'mug', quantity: 1 }]))
    const { orderId } = good(await checkOut(url, cartId))
    ids.push(cartId, orderId)
    return orderId
  }
  /** Pays, and keeps the payment's id as well. */
  const payFor = async (orderId: string, token: string) => {
    const { status } = await pay(url, orderId, token)
    ids.push(good(await readOrder(url, orderId)).payment!.paymentId)
    return status
  }

  // What goes well.
  const cart = good(await openCart(url, saleId, [], 'a-key-of-its-own'))
  ids.push(cart.cartId)
  good(await setLine(url, cart.cartId, 'mug', 2))
  t.equal((await removeCart(url, cart.cartId)).status, 204)
  t.equal((await cancelOrder(url, await openOrder())).status, 204)
  const paid = await openOrder()
  t.equal(await payFor(paid, 'tok_declined'), 402)
  t.equal(await payFor(paid, 'tok_ok'), 200)

  // What is refused, unknown or not ours.
  t.equal((await readCart(url, `${cart.cartId}x`)).status, 404)
  t.equal((await call('GET', `${url}/v1/carts/${cart.cartId}/nothing`)).status, 404)
  t.equal((await call('GET', `${url}/v1/orders/${paid}%zz`)).status, 404)
  t.equal((await checkOut(url, cart.cartId)).status, 404)
  t.equal((await call('POST', `${url}/v1/carts/${cart.cartId}/checkout`, { body: { customer, cartId: cart.cartId } })).status, 400)
  t.equal(await payFor(await openOrder(), 'tok_unreachable'), 503)
  const other = await openOrder()
  t.equal(await payFor(other, 'tok_pending'), 202)
  const event = { eventId: 'e-1', type: 'payment.succeeded', orderId: other, paymentId: ids.at(-1)!, amount: 1_999, currency: 'USD' } as const
  t.equal((await tell(url, event)).status, 200)
  t.equal((await tell(url, { ...event, paymentId: 'from-their-own-page' })).status, 200, 'paid twice, and one goes back')
  await persisted(redis, saleId)

  // Postgres refuses an order, then Redis goes in the middle of everything.
  await runOn(databaseUrl, 'delete from sale_items where sale_id = $1', [saleId])
  t.equal(await payFor(await openOrder(), 'tok_ok'), 200)
  await worker.said(/set apart/)
  const last = await openOrder()
  line.cut()
  await until('readyz has noticed', async () => !(await readiness(url)).redis)
  t.equal((await pay(url, last, 'tok_ok')).status, 503)
  t.equal((await readCart(url, cart.cartId)).status, 503)
  await api.said(/a request failed/)
  await worker.said(/a turn failed/)

  const lines = [...api.lines, ...worker.lines]
  // The random part alone would be enough for who knows the rest.
  for (const id of new Set(ids)) t.strictSame(lines.filter((said) => said.includes(id.slice(-22))), [])
  for (const word of [customer.email, customer.name, customer.address.line1, 'a-key-of-its-own']) {
    t.strictSame(lines.filter((said) => said.includes(JSON.stringify(word).slice(1, -1))), [], word)
  }
})
