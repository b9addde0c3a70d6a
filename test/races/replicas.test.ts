/** With REDIS_REPLICAS, who is told that an order is paid may lose the Redis that said so. */
import { Redis } from 'ioredis'
import tap from 'tap'
import { freshDatabase } from '../postgres.js'
import { portOf } from './forwarder.js'
import { adminToken, atWork, startProcess, until, webhookSecret } from './processes.js'
import { ownRedis } from './servers.js'
import { checkOut, good, openCart, pay, publish, readOrder, ready, tell, ware } from './shop.js'

tap.test('a payment is acknowledged once a replica has it, and not known to be before', async (t) => {
  const databaseUrl = await freshDatabase(t)
  const [own, other] = [await ownRedis(t), await ownRedis(t)]
  await own.start()
  await other.start()
  const replica = new Redis(other.url)
  t.teardown(() => replica.disconnect())
  const follow = async () => {
    await replica.replicaof('127.0.0.1', portOf(own.url, 6379))
    await until('the replica has caught up', async () => (await replica.info('replication')).includes('master_link_status:up'))
  }
  await follow()
  const stores = { redisUrl: own.url, databaseUrl }
  const settings = { PORT: '0', ADMIN_TOKEN: adminToken, PAYMENT_WEBHOOK_SECRET: webhookSecret, REDIS_REPLICAS: '1' }
  const process = startProcess(t, 'src/api.js', stores, settings)
  const api = /http:\/\/[\d.:]+/.exec(await process.said(/Server listening at http/))![0]
  const worker = startProcess(t, 'workers/worker.js', stores, { REDIS_REPLICAS: '1' })
  await Promise.all([ready(api), atWork(worker)])
  const { saleId } = await publish(api, [ware('mug', 10)])
  const order = async () => good(await checkOut(api, good(await openCart(api, saleId, [{ sku: 'mug', quantity: 1 }])).cartId))

  const first = await order()
  t.match(await pay(api, first.orderId, 'tok_ok'), { status: 200, value: { status: 'paid' } })
  t.match(await replica.hget(`fs:{${saleId}.0}:orders`, first.orderId.slice(-22)), /^paid /, 'the replica has it by then')

  await replica.replicaof('NO', 'ONE')
  const [second, third] = [await order(), await order()]
  t.match(await pay(api, second.orderId, 'tok_ok'), { status: 503, problem: { code: 'unavailable' } })
  t.match(await pay(api, second.orderId, 'tok_ok'), { status: 503 }, 'nor is it, asked again')
  const event = { eventId: 'e', type: 'payment.succeeded', orderId: third.orderId, paymentId: 'page-1', ...third.total } as const
  t.match(await tell(api, event), { status: 503 }, 'a provider comes again as well')

  await follow()
  const paid = good(await pay(api, second.orderId, 'tok_ok'))
  t.equal(paid.status, 'paid')
  t.match(await tell(api, event), { status: 200 })
  t.match(good(await readOrder(api, third.orderId)), { status: 'paid', payment: { paymentId: 'page-1' } })
  t.match(await replica.hget(`fs:{${saleId}.0}:orders`, second.orderId.slice(-22)), /^paid /)
  t.match(await replica.hget(`fs:{${saleId}.0}:stock`, 'mug'), /^10 7 0 0 3 /, 'each was paid once')
  t.strictSame([await process.stop(), await worker.stop()], [{ code: 0, signal: null }, { code: 0, signal: null }])
})
