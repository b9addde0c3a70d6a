/** Of a sale that Redis does not have, no script tells, takes or gives back anything. */
import tap from 'tap'
import { runScript, type ScriptName } from '../../src/engine/scripts.js'
import { dump, freshEngine } from '../redis.js'
import { customer, customerJson, openScene, type Scene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

interface Question {
  readonly script: ScriptName
  readonly words: readonly (string | number)[]
  /** Where there is no such sale. */
  readonly reply: unknown
}

/** Asks every script that needs a sale for what it could do, if there was one. */
async function questions(scene: Scene): Promise<Question[]> {
  const [cart, order, pending] = [await scene.cart('A=1'), await scene.order('A=1'), await scene.pending('p1', 'A=1')]
  const ask = (script: ScriptName, ...words: (string | number)[]): Question => ({ script, words, reply: 'NO_SALE' })
  return [
    ask('hold', 2, 'made', 'other', 'C key print A=1', 1, `S 1 ${cart} A 2`, 1),
    ask('remove', `1 ${cart}`, `S 1 ${cart} A 0`),
    ask('read', 'P', 'A', 'I A', `C 1 ${cart}`, `O 1 ${order}`),
    ask('checkout', `1 ${cart} ${customerJson}`),
    ask('begin', `1 ${order} p2`),
    ask('settle', scene.settlement(pending, 'p1', 'succeeded'), scene.settlement(order, 'p2', 'declined')),
    ask('cancel', `1 ${order}`),
    ask('control', 'end'),
    ask('adjust', 'adj', 'A', 1),
    ask('audit', 100),
    ask('close'),
    { script: 'due', words: [10], reply: [] },
    { script: 'sweep', words: [], reply: 'DONE' },
  ]
}

tap.test('a sale whose policy is lost is no sale, and whatever else is left of it stays', async (t) => {
  const scene = await openScene(engine, redis)
  const asked = await questions(scene)
  await scene.time(5)
  await redis.del(scene.key('policy'))
  const before = await dump(redis)
  for (const { script, words, reply } of asked) {
    t.strictSame(await scene.run(script, ...words), reply, script)
    t.strictSame(await dump(redis), before, `${script} wrote nothing`)
  }
})

tap.test('a sale that was never published is no sale, and asking about it makes nothing', async (t) => {
  const asked = await questions(await openScene(engine, redis))
  await redis.flushdb()
  for (const { script, words, reply } of asked) {
    t.strictSame(await runScript(redis, script, { saleId: 'nobody', shard: 0 }, words), reply, script)
  }
  t.strictSame(await redis.keys('*'), [])
})

tap.test('an id of a sale that nobody knows is refused like any other id that nobody gave', async (t) => {
  const scene = await openScene(engine, redis)
  const elsewhere = (id: string) => id.replace(scene.saleId, 'nobody')
  const [cart, order] = [elsewhere(scene.cartId(await scene.cart('A=1'))), elsewhere(scene.orderId(await scene.order('A=1')))]
  const before = await dump(redis)
  t.match(await engine.removeCart(cart), { refused: 'cart_not_found' })
  t.match(await engine.checkout(cart, customer), { refused: 'cart_not_found' })
  t.match(await engine.beginPayment(order), { refused: 'order_not_found' })
  t.match(await engine.cancelOrder(order), { refused: 'order_not_found' })
  t.strictSame(await engine.settlePayment({ paymentId: 'p1', orderId: order, amount: 1, currency: 'USD' }, 'declined'), { order: null })
  t.strictSame(await engine.dueAttempts({ saleId: 'nobody', shard: 0 }, 10), [])
  t.strictSame(await dump(redis), before)
})
