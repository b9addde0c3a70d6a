/** Whatever trouble Redis is in, a script does all of its work or none, and does it once the trouble is over. */
import { Redis } from 'ioredis'
import tap, { type Test } from 'tap'
import { type Engine } from '../../src/engine/engine.js'
import { type ScriptName, scriptNames, scripts } from '../../src/engine/scripts.js'
import { newLocalId } from '../../src/ids.js'
import { readers, troubledRedis } from '../races/trouble.js'
import { assertWhole, counters, dump, freshEngine, publishSale } from '../redis.js'
import { prepareCall } from './calls.js'
import type { Scene } from './scene.js'

type Prepared = ReadonlyMap<ScriptName, { scene: Scene; words: readonly (string | number)[] }>

const { own, troubles } = await troubledRedis(tap)
const { engine, redis } = await freshEngine(tap, { server: own.url })

/** @returns what each script is asked, in a scene of its own, all of them side by side */
async function prepareAll(on: Engine = engine, client: Redis = redis): Promise<Prepared> {
  await client.flushdb()
  const prepared = new Map<ScriptName, { scene: Scene; words: readonly (string | number)[] }>()
  // First whoever wants a Redis with nothing in it.
  for (const script of ['publish', ...scriptNames.filter((name) => name !== 'publish')] as const) {
    prepared.set(script, await prepareCall(on, client, script))
  }
  return prepared
}

/** @returns the reply, or the error that came instead */
const attempt = (prepared: Prepared, script: ScriptName): Promise<unknown> => {
  const { scene, words } = prepared.get(script)!
  return scene.run(script, ...words).catch((error: Error) => error)
}

/** Asks every script, and asserts that each does what it was asked for. */
async function assertEachWorks(t: Test, prepared: Prepared, client: Redis = redis): Promise<void> {
  for (const script of scriptNames) {
    const before = await dump(client)
    const reply = await attempt(prepared, script)
    t.notOk(reply instanceof Error, `${script} works: ${String(reply).slice(0, 80)}`)
    if (readers.includes(script)) t.strictSame(await dump(client), before, `${script} writes nothing`)
    else t.strictNotSame(await dump(client), before, `${script} has done what it was asked for`)
  }
}

for (const trouble of troubles) {
  tap.test(`on a Redis that is ${trouble.name} a script writes nothing, and works once that is over`, async (t) => {
    const prepared = await prepareAll()
    const before = await dump(redis)
    await trouble.begin()
    try {
      for (const script of scriptNames) {
        const reply = await attempt(prepared, script)
        if (trouble.serves === 'reads' && readers.includes(script)) t.notOk(reply instanceof Error, `${script} is served: ${String(reply).slice(0, 80)}`)
        else t.match(reply, { message: trouble.refusal }, `${script} is refused`)
      }
    } finally {
      await trouble.end()
    }
    t.strictSame(await dump(redis), before, 'nothing was written')
    await assertEachWorks(t, prepared)
  })
}

/** @returns how often a command was called, and how often without success */
async function calls(command: string): Promise<{ called: number; failed: number }> {
  const line = new RegExp(`^cmdstat_${command}:(.*)$`, 'm').exec(await redis.info('commandstats'))?.[1] ?? ''
  const count = (name: string) => Number(new RegExp(`(?:^|,)${name}=(\\d+)`).exec(line)?.[1] ?? 0)
  return { called: count('calls'), failed: count('rejected_calls') + count('failed_calls') }
}

tap.test('a script that Redis has forgotten is sent whole, and does its work once', async (t) => {
  const prepared = await prepareAll()
  for (const script of scriptNames) {
    const before = await dump(redis)
    await redis.script('FLUSH')
    await redis.config('RESETSTAT')
    const reply = await attempt(prepared, script)
    t.notOk(reply instanceof Error, `${script} works: ${String(reply).slice(0, 80)}`)
    t.strictSame([await calls('evalsha'), await calls('eval')], [{ called: 1, failed: 1 }, { called: 1, failed: 0 }], `${script} ran once`)
    if (readers.includes(script)) t.strictSame(await dump(redis), before)
    else t.strictNotSame(await dump(redis), before, `${script} has done what it was asked for`)
    t.strictSame(await redis.script('EXISTS', scripts[script].digest), [1], `${script} is known again`)
  }
})

tap.test('scripts that are forgotten again and again while customers ask do each thing once', async (t) => {
  await redis.flushdb()
  const { saleId } = await publishSale(engine, { items: { A: 1_000 } })
  await redis.config('RESETSTAT')
  const [rounds, atOnce] = [20, 30]
  const asked = new AbortController()
  const flushing = (async () => {
    while (!asked.signal.aborted) await redis.script('FLUSH')
  })()
  const cartIds = new Set<string>()
  for (let round = 0; round < rounds; round += 1) {
    const carts = await Promise.all(Array.from({ length: atOnce }, () => engine.createCart(saleId, [{ sku: 'A', quantity: 1 }])))
    for (const cart of carts) if ('cartId' in cart) cartIds.add(cart.cartId)
    await Promise.all([...cartIds].slice(-atOnce).map((cartId, i) => engine.setLine(cartId, 'A', i % 3)))
  }
  asked.abort()
  await flushing
  t.equal(cartIds.size, rounds * atOnce, 'everybody was served')
  t.ok((await calls('eval')).called > 0, 'some of it by a script that was sent whole')
  t.match(await counters(redis, saleId, 'A'), { allocation: 1_000, available: 400, inCarts: 600 })
  await assertWhole(t, redis, saleId)
})

/** So many requests that Redis looks up from them many times over: it does so every hundred thousand instructions. */
const manyRequests = 40_000
/** @returns the arguments of hold.lua for requests that are alike and asked one by one */
function manyHolds(request: string): (string | number)[] {
  const ids = Array.from({ length: manyRequests / 2 }, newLocalId)
  return [ids.length, ...ids, ...ids.flatMap(() => [request, 1])]
}

/** The others do too little at a time to be killed. */
const killable: readonly ScriptName[] = ['hold', 'remove', 'read', 'checkout', 'begin', 'settle', 'cancel']

tap.test('a script that is killed on its way has written nothing', async (t) => {
  const prepared = await prepareAll()
  const killer = new Redis(own.url)
  t.teardown(() => killer.disconnect())
  await killer.ping()
  for (const script of killable) {
    const { scene, words } = prepared.get(script)!
    const before = await dump(redis)
    const over = new AbortController()
    const requests = script === 'hold' ? manyHolds(String(words[2])) : Array.from({ length: manyRequests }, () => String(words[0]))
    const running = scene.run(script, ...requests)
      .catch((error: Error) => error)
      .finally(() => over.abort())
    // Until it has begun there is nothing to kill.
    while (!over.signal.aborted) await killer.script('KILL').catch(() => undefined)
    t.match(await running, { message: /Script killed by user/ }, `${script} was killed`)
    t.strictSame(await dump(redis), before, `${script} has written nothing`)
  }
  await assertEachWorks(t, prepared)
})
