/** Whoever is refused has changed nothing: not a counter, not a deadline, not the clock. */
import tap, { type Test } from 'tap'
import type { BatchedScript } from '../../src/engine/engine.js'
import type { ScriptName } from '../../src/engine/scripts.js'
import { shardKeyNames } from '../../src/keys.js'
import { freshEngine } from '../redis.js'
import { at, customerJson, openScene, type Scene } from './scene.js'

const { engine, redis } = await freshEngine(tap)

/** Asserts what a script that takes no batch answers, and that it has written nothing. */
async function refuses(t: Test, scene: Scene, reply: string, script: ScriptName, ...words: (string | number)[]): Promise<void> {
  t.equal(await scene.unwritten(t, () => scene.run(script, ...words)), reply, `${script} ${words.join(' ')}`)
}

tap.test('a sale is neither paused, resumed nor ended where that makes no sense, and stays as it was', async (t) => {
  const scene = await openScene(engine, redis, { startsAtMs: at(10), endsAtMs: at(60) })
  const status = async () => (await scene.one('read', 'P')).split(' ')[1]
  const senseless: Record<string, readonly string[]> = { scheduled: ['pause', 'resume'], open: ['resume'], paused: ['pause'], ended: ['pause', 'resume', 'end'] }
  const refused = async (state: string) => {
    t.equal(await status(), state)
    for (const action of senseless[state]!) await refuses(t, scene, 'SALE_STATE', 'control', action)
    for (const action of ['close', 'PAUSE', 'pause ', '']) await refuses(t, scene, 'INVALID', 'control', action)
  }
  await refused('scheduled')
  await scene.time(10)
  await refused('open')
  await scene.run('control', 'pause')
  await refused('paused')
  await scene.run('control', 'resume')
  await refused('open')
  await scene.run('control', 'end')
  await refused('ended')
})

tap.test('a closed sale is not adjusted, neither up nor down', async (t) => {
  const scene = await openScene(engine, redis)
  await scene.run('control', 'end')
  await scene.run('close')
  await scene.time(5)
  for (const delta of [1, -1]) await refuses(t, scene, 'SALE_CLOSED', 'adjust', 'adj', 'A', delta)
})

tap.test('a sale that is there is not published over, neither with the same words nor with others', async (t) => {
  const scene = await openScene(engine, redis, { startsAtMs: at(-60) })
  await scene.cart('A=3')
  await scene.time(5)
  const policy = [600_000, 1_800_000, 600_000, 900_000, 'USD', '{}'] as const
  await refuses(t, scene, `EXISTS ${at(-60)}`, 'publish', at(-60), '-', 'cart', ...policy, '1 0 0-0 0', 'A', 10, 0, 2_500, 0)
  await refuses(t, scene, `EXISTS ${at(-60)}`, 'publish', '-', at(99), 'checkout', ...policy, '2 1 9-9 0 adj', 'A', 99, 3, 1, 1, 'B', 5, 0, 5, 5)
  await refuses(t, scene, `EXISTS ${at(-60)}`, 'publish', 'whatever', 'it', 'is')
})

tap.test('where anything is left of a sale that was lost, it is not published over what a person may still need', async (t) => {
  const scene = await openScene(engine, redis)
  const words = ['-', '-', 'cart', 600_000, 1_800_000, 600_000, 900_000, 'USD', '{}', '2 0 5-5 0 adj', 'A', 10, 3, 2_500, 0]
  for (const name of shardKeyNames.filter((one) => one !== 'policy')) {
    await redis.flushdb()
    await redis.set(scene.key(name), 'left')
    await refuses(t, scene, 'LEFTOVERS', 'publish', ...words)
  }
  await redis.flushdb()
  t.match(await scene.run('publish', ...words), /^OK \d+$/)
})

tap.test('a relay that gets nothing leaves the outbox as it was: all is handed out, or too much is out', async (t) => {
  const scene = await openScene(engine, redis)
  await scene.paid('p1', 'A=1')
  await scene.paid('p2', 'A=1')
  t.match(await scene.run('claim', 'postgres', 'relay', 1, 100), / 1$/)
  await refuses(t, scene, 'NONE', 'claim', 'postgres', 'relay', 10, 1)
  t.match(await scene.run('claim', 'postgres', 'relay', 10, 100), / 1$/)
  await refuses(t, scene, 'NONE', 'claim', 'postgres', 'relay', 10, 100)
  t.equal(await redis.xlen(scene.key('outbox')), 2)
})

/** What each script cannot read, of a cart, an order and the order of a payment `p1`. */
type Malformed = (cart: string, order: string, pending: string) => string[]
const malformed: Readonly<Record<BatchedScript, Malformed>> = {
  hold: (cart) => ['', 'C', 'C x', 'C x key', 'C x . . A', 'C x . . A=0', `S 1 ${cart}`, `S 1 ${cart} A`, `S x ${cart} A 1`, `T 1 ${cart} A 1`],
  remove: (cart) => ['', '1', cart, `x ${cart}`, `1e0 ${cart}`, `1 ${cart} all`, `S 1 ${cart} A 1`, `S x ${cart} A 0`],
  read: (cart, order) => ['', 'X', 'PP', 'C', `C ${cart}`, `C x ${cart}`, `O -1 ${order}`, `O 1 ${order} x`],
  checkout: (cart) => ['', `1 ${cart}`, `1 ${cart} Zoë`, `x ${cart} ${customerJson}`, `1 ${customerJson}`, `1 ${cart} {}\n{}`],
  begin: (_, order) => ['', '1', `1 ${order}`, `x ${order} p2`, `1 ${order} p2 p3`],
  settle: (_, __, pending) => ['', `1 ${pending} p1 succeeded`, `1 ${pending} p1 refunded 2500 USD o`, `1 ${pending} p1 succeeded 25.00 USD o`, `1 ${pending} p1 succeeded 2500 usd o`],
  cancel: (_, order) => ['', '1', order, `x ${order}`, `1 ${order} now`],
}

for (const [script, requests] of Object.entries(malformed) as [BatchedScript, Malformed][]) {
  tap.test(`${script}: what cannot be read changes nothing, however much of it comes at once`, async (t) => {
    const scene = await openScene(engine, redis)
    const [cart, order, pending] = [await scene.cart('A=1'), await scene.order('A=1'), await scene.pending('p1', 'A=1')]
    await scene.time(5)
    const all = requests(cart, order, pending)
    for (const request of all) await scene.refuses(t, script, request, 'INVALID')
    t.strictSame(await scene.unwritten(t, () => scene.ask(script, ...all)), all.map(() => 'INVALID'))
  })
}
