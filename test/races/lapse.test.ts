/**
 * Carts and orders that lapse while others compete for their units, over two API processes: what lapses is available to
 * the very next request, and no unit is counted twice.
 */
import tap from 'tap'
import type { Cart, Order } from '../../src/contract.js'
import { assertWhole, counters, moveTime } from '../redis.js'
import { assertAccounts, drained, sandboxMoney } from './accounts.js'
import {
  type Answer, call, cancelOrder, checkOut, good, openCart, openShop, order, patiently, pay, publish, readCart, readOrder, removeCart, setLine, tell, ware,
} from './shop.js'
import { atWork, startWorker } from './processes.js'

const holdSeconds = 60
const lapseMs = (holdSeconds + 1) * 1_000
const mug = (quantity: number) => [{ sku: 'mug', quantity }]
const many = <T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: count }, (_, i) => make(i)))
const statuses = (answers: readonly Answer<unknown>[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { status, problem } of answers) {
    const word = problem?.code ?? String(status)
    counts[word] = (counts[word] ?? 0) + 1
  }
  return counts
}

for (const workers of [0, 2]) {
  tap.test(`five hundred carts lapse at once, and the very next requests get their units (${workers} workers)`, async (t) => {
    const { apis, redis } = await openShop(t, { apis: 2, workers })
    const { saleId } = await publish(apis[0], [ware('mug', 500)], { holdSeconds })
    const api = (i: number) => apis[i % 2]!
    t.strictSame(statuses(await many(500, (i) => openCart(api(i), saleId, mug(1)))), { 201: 500 })
    const refused = await openCart(apis[0], saleId, mug(1))
    t.match(refused.problem, { code: 'insufficient_stock', items: [{ soldOut: false, mayReturnAt: String, stock: { quantity: 500, available: 0, inOtherCarts: 500 } }] })

    await moveTime(redis, saleId, lapseMs)
    t.match(await openCart(api(1), saleId, mug(500)), { status: 201 }, 'one request takes all five hundred')
    t.strictSame(statuses(await many(20, (i) => openCart(api(i), saleId, mug(1)))), { insufficient_stock: 20 })

    await moveTime(redis, saleId, lapseMs)
    const again = await many(520, (i) => openCart(api(i), saleId, mug(1)))
    t.strictSame(statuses(again), { 201: 500, insufficient_stock: 20 }, 'or five hundred requests one each')
    await assertWhole(t, redis, saleId)

    await moveTime(redis, saleId, lapseMs)
    const shown = good(await call<{ stock: object }>('GET', `${api(1)}/v1/sales/${saleId}/items/mug`))
    t.match(shown.stock, { quantity: 500, available: 500, inCarts: 0 }, 'whoever looks sees them')
    const lapsed = again.find(({ value }) => value !== null)!.value!
    t.match(await readCart(apis[0], lapsed.cartId), { status: 410, problem: { code: 'cart_expired' } })
  })
}

tap.test('carts that lapse while their owners use them, and others want their units, are counted once', async (t) => {
  const { apis, redis } = await openShop(t, { apis: 2, workers: 1 })
  const { saleId } = await publish(apis[0], [ware('mug', 400)], { holdSeconds })
  const api = (i: number) => apis[i % 2]!
  for (let round = 0; round < 5; round += 1) {
    const carts = await many(200, async (i) => good(await openCart(api(i), saleId, mug(1 + (i % 2)))))
    const use = (cartId: string, i: number): Promise<Answer<Cart | Order | null>> => {
      switch (i % 5) {
        case 0: return setLine(api(i), cartId, 'mug', 1)
        case 1: return removeCart(api(i), cartId)
        case 2: return checkOut(api(i), cartId)
        case 3: return setLine(api(i), cartId, 'mug', 0)
        default: return readCart(api(i), cartId)
      }
    }
    const [used, taken] = await Promise.all([
      many(600, (i) => use(carts[i % 200]!.cartId, i)),
      many(300, (i) => openCart(api(i), saleId, mug(1))),
      moveTime(redis, saleId, lapseMs),
    ])
    const allowed = ['200', '201', '204', 'cart_expired', 'cart_not_found', 'cart_checked_out', 'cart_empty', 'insufficient_stock']
    t.strictSame(Object.keys(statuses(used)).filter((word) => !allowed.includes(word)), [], JSON.stringify(statuses(used)))
    t.strictSame(Object.keys(statuses(taken)).filter((word) => !allowed.includes(word)), [], JSON.stringify(statuses(taken)))
    await assertWhole(t, redis, saleId)
    await moveTime(redis, saleId, 3_600_000)
  }
  t.match(await openCart(apis[0], saleId, mug(400)), { status: 201 }, 'nothing was lost on the way')
})

tap.test('orders that lapse while they are being paid are paid or lapse, and never both', async (t) => {
  const shop = await openShop(t, { apis: 2, workers: 2 })
  const { apis, redis } = shop
  const wares = [ware('mug', 200)]
  const { saleId } = await publish(apis[0], wares, { holdSeconds, paymentSeconds: 60, pendingSeconds: 60 })
  const api = (i: number) => apis[i % 2]!
  const orders = await order(apis, saleId, 'mug', 200)
  const [paying, , taking] = await Promise.all([
    many(200, (i) => pay(api(i), orders[i]!.orderId, i % 4 === 0 ? 'tok_declined' : 'tok_ok')),
    moveTime(redis, saleId, lapseMs),
    many(200, (i) => openCart(api(i), saleId, mug(1))),
    many(40, (i) => cancelOrder(api(i), orders[i * 5]!.orderId)),
  ])
  const allowed = ['200', '202', 'payment_declined', 'order_expired', 'order_cancelled', 'payment_in_progress']
  t.strictSame(Object.keys(statuses(paying)).filter((word) => !allowed.includes(word)), [], JSON.stringify(statuses(paying)))
  await assertWhole(t, redis, saleId)
  const { sold } = await counters(redis, saleId, 'mug')
  t.ok(sold + (statuses(taking)['201'] ?? 0) <= 200, 'no unit went to two')

  await moveTime(redis, saleId, 3_600_000)
  await drained(redis, saleId)
  const paid = paying.flatMap(({ value }) => (value?.status === 'paid' ? [value] : []))
  // A charge that came too late took money as well: it went back, or its order found units again.
  const late = (await many(200, (i) => patiently(() => readOrder(api(i), orders[i]!.orderId)))).flatMap(({ value }) => (value?.status === 'paid' ? [value.orderId] : []))
  t.ok(paid.every(({ orderId }) => late.includes(orderId)), 'who was told that an order is paid has it')
  await assertAccounts(t, shop, { saleId, wares, paid: late, taken: (await sandboxMoney(redis)).charged })
})

tap.test('payments that succeed after their orders lapsed get what is left, and all other money goes back', async (t) => {
  const shop = await openShop(t, { apis: 2 })
  const { apis, redis } = shop
  const wares = [ware('mug', 200)]
  const { saleId } = await publish(apis[0], wares, { holdSeconds })
  const api = (i: number) => apis[i % 2]!
  const orders = await order(apis, saleId, 'mug', 200)
  const pending = await many(200, async (i) => good(await pay(api(i), orders[i]!.orderId, 'tok_pending')))
  await moveTime(redis, saleId, 3_600_000)

  // Half as many units as there are payments to come, because others are as quick: both want them at once.
  const [taken] = await Promise.all([
    many(100, (i) => openCart(api(i), saleId, mug(1))),
    many(400, async (i) => {
      const { orderId, payment, total } = pending[i % 200]!
      const event = { eventId: `e${i}`, type: 'payment.succeeded', orderId, paymentId: payment!.paymentId, ...total } as const
      t.match(await tell(api(i), event), { status: 200 })
    }),
  ])
  await assertWhole(t, redis, saleId)
  const held = statuses(taken)['201'] ?? 0
  t.match(await counters(redis, saleId, 'mug'), { available: 0, inCarts: held, sold: 200 - held }, 'every unit has one owner')

  for (const worker of [startWorker(t, shop.stores), startWorker(t, shop.stores)]) await atWork(worker)
  await moveTime(redis, saleId, 3_600_000)
  await drained(redis, saleId)
  const ended = await many(200, async (i) => good(await patiently(() => readOrder(api(i), orders[i]!.orderId))))
  const paid = ended.filter(({ status }) => status === 'paid')
  t.equal(ended.filter(({ status }) => status === 'refunded').length, held)
  await assertAccounts(t, shop, { saleId, wares, paid: paid.map(({ orderId }) => orderId), taken: pending.map(({ payment }) => payment!.paymentId) })
})
