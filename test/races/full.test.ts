/** A Redis that is full sells nothing more and loses nothing: what frees, settles and persists goes on, and makes room in it. */
import { Redis } from 'ioredis'
import tap, { type Test } from 'tap'
import type { Order } from '../../src/contract.js'
import { auditKey, workerKey } from '../../src/keys.js'
import { freshDatabase } from '../postgres.js'
import { assertAccounts, outboxLength, persisted, told } from './accounts.js'
import { type Forwarder, forward, portOf, through } from './forwarder.js'
import { atWork, type Running, startApi, startWorker, until } from './processes.js'
import { type OwnRedis, ownRedis } from './servers.js'
import {
  type Answer, buy, call, cancelOrder, checkOut, good, openCart, order, pay, publish, readiness, readOrder, ready, removeCart, setLine, type Shop, tell, ware,
} from './shop.js'
import { handedOut, long, loseJobs } from './time.js'

const allocation = 120
const mug = (quantity: number) => [{ sku: 'mug', quantity }]

interface FullShop extends Pick<Shop, 'redis' | 'stores'> {
  readonly own: OwnRedis
  readonly api: string
  readonly worker: Running
  /** The worker's way to Postgres. */
  readonly line: Forwarder
  readonly saleId: string
}

async function openShop(t: Test): Promise<FullShop> {
  const databaseUrl = await freshDatabase(t)
  const line = await forward(t, portOf(databaseUrl, 5432))
  const own = await ownRedis(t)
  await own.start()
  const stores = { redisUrl: own.url, databaseUrl }
  const worker = startWorker(t, { ...stores, databaseUrl: through(databaseUrl, line) })
  const { url: api } = await startApi(t, stores)
  await Promise.all([atWork(worker), ready(api)])
  const { saleId } = await publish(api, [ware('mug', allocation)])
  const redis = new Redis(own.url)
  t.teardown(() => redis.disconnect())
  return { own, stores, redis, api, worker, line, saleId }
}

/** Less than Redis takes for itself: from now on it takes nothing more. */
const fill = (own: OwnRedis) => own.set('maxmemory', '1')
const makeRoom = (own: OwnRedis) => own.set('maxmemory', '0')

const unavailable = async (t: Test, what: string, asked: Promise<Answer<unknown>>) =>
  t.match(await asked, { status: 503, problem: { code: 'unavailable', status: 503 } }, what)

/** Workers are at work, as an operator sees who has only just begun to look. */
async function whole(t: Test, { redis, api, saleId }: FullShop): Promise<void> {
  await redis.del(workerKey, auditKey(saleId))
  await until('a worker is seen', async () => (await readiness(api)).worker)
  t.match(await readiness(api), { status: 200, redis: true, postgres: true, worker: true })
  await until('the sale is audited', async () => (await redis.exists(auditKey(saleId))) === 1)
}

tap.test('Redis fills up in the middle of a sale: no more is sold, and all that was sold arrives', async (t) => {
  const shop = await openShop(t)
  const { own, stores, redis, api, worker, saleId } = shop
  const before = await buy([api], saleId, 'mug', 10)
  await persisted(redis, saleId)
  // What is paid from now on waits.
  worker.kill('SIGSTOP')
  const waiting = await buy([api], saleId, 'mug', 40)
  const [cart, emptied, kept] = [good(await openCart(api, saleId, mug(5))), good(await openCart(api, saleId, mug(2))), good(await openCart(api, saleId, mug(3)))]
  const [unpaid, payable] = await order([api], saleId, 'mug', 2) as [Order, Order]
  const pending = await Promise.all((await order([api], saleId, 'mug', 20)).map(async ({ orderId }) => good(await pay(api, orderId, 'tok_pending'))))

  await fill(own)
  await unavailable(t, 'a hold is refused', openCart(api, saleId, mug(1), 'during'))
  await unavailable(t, 'a line is not made longer', setLine(api, kept.cartId, 'mug', 4))
  await unavailable(t, 'nobody checks out', checkOut(api, kept.cartId))
  await unavailable(t, 'no payment begins', pay(api, payable.orderId, 'tok_ok'))

  t.equal((await setLine(api, emptied.cartId, 'mug', 0)).status, 200, 'a line is given back')
  t.equal((await removeCart(api, cart.cartId)).status, 204, 'a cart is given back')
  t.equal((await cancelOrder(api, unpaid.orderId)).status, 204, 'an order is cancelled')
  const settled = await Promise.all(pending.map(async ({ orderId, total, payment }) => {
    const answer = await tell(api, { eventId: `e-${orderId.slice(-22)}`, type: 'payment.succeeded', orderId, paymentId: payment!.paymentId, ...total })
    t.equal(answer.status, 200, 'a payment that had begun is settled')
    return good(await readOrder(api, orderId))
  }))
  t.ok(settled.every(({ status, persisted: stored }) => status === 'paid' && !stored))
  t.match(await call('GET', `${api}/v1/sales/${saleId}`), {
    status: 200, value: { items: [{ stock: { quantity: 50, available: 46, inCarts: 4 } }] },
  }, 'what came back is shown')
  t.equal(await outboxLength(redis, saleId), 60, 'the paid orders wait')

  worker.kill('SIGCONT')
  await persisted(redis, saleId)
  await whole(t, shop)
  for (const { orderId } of [...waiting, ...settled]) t.match(await readOrder(api, orderId), { value: { status: 'paid', persisted: true } })
  await unavailable(t, 'it is still full', openCart(api, saleId, mug(1), 'during'))

  await makeRoom(own)
  const held = good(await openCart(api, saleId, mug(1), 'during'))
  const orders = await Promise.all([kept, held].map(async ({ cartId }) => good(await checkOut(api, cartId))))
  const after = await Promise.all([payable, ...orders].map(async ({ orderId }) => good(await pay(api, orderId, 'tok_ok'))))
  const rest = await buy([api], saleId, 'mug', 45)
  t.match(await openCart(api, saleId, mug(1)), { status: 409, problem: { items: [{ soldOut: true }] } }, 'and every unit is sold')
  await persisted(redis, saleId, 60_000)
  const sold = await assertAccounts(t, { redis, stores }, { saleId, wares: [ware('mug', allocation)], ...told([...before, ...waiting, ...settled, ...after, ...rest]) })
  t.equal(sold, allocation)
  t.strictSame(await worker.stop(), { code: 0, signal: null })
})

tap.test('orders that were handed out and have lost their jobs are persisted while Redis is full', async (t) => {
  const { own, stores, redis, api, line, saleId } = await openShop(t)
  line.cut()
  const paid = await buy([api], saleId, 'mug', 30)
  await until('all of them are handed out', async () => (await handedOut(redis, saleId)) === 30)
  await fill(own)
  await until('the queue has lost every job', () => loseJobs(redis))
  line.mend()
  await long(redis, saleId)
  await persisted(redis, saleId)
  await unavailable(t, 'it is full all the time', openCart(api, saleId, mug(1)))
  await makeRoom(own)
  const after = await buy([api], saleId, 'mug', allocation - 30)
  await persisted(redis, saleId, 60_000)
  await assertAccounts(t, { redis, stores }, { saleId, wares: [ware('mug', allocation)], ...told([...paid, ...after]) })
})
