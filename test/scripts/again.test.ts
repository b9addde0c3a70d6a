/**
 * More has lapsed than one call may give back. What is asked then is not decided yet: it is told to come again, and is done
 * once, with numbers that count every unit that lapsed.
 */
import tap from 'tap'
import type { BatchedScript } from '../../src/engine/engine.js'
import { freshEngine } from '../redis.js'
import { customer, customerJson, openScene, type Scene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

/** What one call gives back at the most, RECLAIM_BOUND of lua/shard.lua. */
const reclaimBound = 1_024

/** So many carts lapse at once that one call cannot give them back; what `make` makes came a second later, and lives. */
async function crowd(make: (scene: Scene) => Promise<string>): Promise<{ scene: Scene; id: string }> {
  const scene = await openScene(engine, redis, { items: { A: reclaimBound + 2 } })
  await scene.carts(reclaimBound + 1, 'A')
  await scene.time(1)
  const id = await make(scene)
  await scene.time(600)
  return { scene, id }
}

/** What Redis knows of a cart or an order. */
const recordOf = (scene: Scene, id: string) => Promise.all((['carts', 'orders'] as const).map((name) => redis.hget(scene.key(name), id)))

const cart = (scene: Scene) => scene.cart('A=1')
const order = (scene: Scene) => scene.order('A=1')
const pending = (scene: Scene) => scene.pending('p1', 'A=1')

interface Case {
  readonly script: BatchedScript
  readonly make: (scene: Scene) => Promise<string>
  readonly request: (scene: Scene, id: string) => string
  /** The reply, once it is done: nobody else holds a unit then. */
  readonly done: RegExp
}

const cases: Readonly<Record<string, Case>> = {
  'giving a cart back': { script: 'remove', make: cart, request: (_, id) => `1 ${id}`, done: /^OK$/ },
  'giving a line back': { script: 'remove', make: cart, request: (_, id) => `S 1 ${id} A 0`, done: /^OK open / },
  'a checkout': { script: 'checkout', make: cart, request: (_, id) => `1 ${id} ${customerJson}`, done: /^OK .*\nawaiting_payment .*\nA 1 2500 1026 1025 0\n/ },
  'the begin of a payment': { script: 'begin', make: order, request: (_, id) => `1 ${id} p1`, done: /^OK 2500$/ },
  'a payment that succeeded': { script: 'settle', make: pending, request: (scene, id) => scene.settlement(id, 'p1', 'succeeded'), done: /^OK .*\npaid .*\nA 1 2500 1025 1025 0\n/ },
  'a cancellation': { script: 'cancel', make: order, request: (_, id) => `1 ${id}`, done: /^OK$/ },
}

for (const [what, { script, make, request, done }] of Object.entries(cases)) {
  tap.test(`${what} behind more lapsed holds than one call gives back comes again, and is done once`, async (t) => {
    const { scene, id } = await crowd(make)
    const record = await recordOf(scene, id)
    t.strictSame(await scene.ask(script, request(scene, id), request(scene, id), ''), ['MORE', 'MORE', 'MORE'], 'the whole batch')
    t.strictSame(await recordOf(scene, id), record, 'nothing of it was done')
    t.equal(await redis.xlen(scene.key('outbox')), 0)
    t.match(await scene.counters('A'), { available: reclaimBound, sold: 0 }, 'the call has given back what it may')
    await scene.whole(t)
    t.match(await scene.one(script, request(scene, id)), done)
    await scene.whole(t)
  })
}

/** What an order of one unit tells once every lapsed hold is counted as gone. */
const stock = { quantity: reclaimBound + 2, available: reclaimBound + 1, inOtherCarts: 0 }

tap.test('who checks out behind a crowd that lapsed gets one answer, and it counts all of them', async (t) => {
  const { scene, id } = await crowd(cart)
  t.match(await engine.checkout(scene.cartId(id), customer), { repeated: false, order: { items: [{ stock }] } })
})

tap.test('who pays behind a crowd that lapsed is charged once, and is told numbers that count all of them', async (t) => {
  const { scene, id } = await crowd(order)
  t.match(await engine.beginPayment(scene.orderId(id)), { begun: true, attempt: { orderId: scene.orderId(id), amount: 2_500 } })

  const late = await crowd(pending)
  const payment = { paymentId: 'p1', orderId: late.scene.orderId(late.id), amount: 2_500, currency: 'USD' }
  t.match(await engine.settlePayment(payment, 'succeeded'), { order: { status: 'paid', items: [{ stock: { ...stock, quantity: stock.available } }] } })
  t.equal(await redis.xlen(late.scene.key('outbox')), 1)
})

tap.test('who gives back or cancels behind a crowd that lapsed does so once', async (t) => {
  const one = await crowd(cart)
  t.equal(await engine.removeCart(one.scene.cartId(one.id)), null)
  t.match(await one.scene.counters('A'), { available: reclaimBound + 2 })
  const other = await crowd(order)
  t.equal(await engine.cancelOrder(other.scene.orderId(other.id)), null)
  t.match(await other.scene.counters('A'), { available: reclaimBound + 2 })
})
