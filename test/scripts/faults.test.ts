/** Whatever is wrong with Redis, a script does all of its work or none. */
import tap from 'tap'
import { type ScriptName, scriptNames } from '../../src/engine/scripts.js'
import { ownRedis } from '../races/servers.js'
import { dump, freshEngine } from '../redis.js'
import { calls, prepareCall } from './calls.js'

const { engine, redis } = await freshEngine(tap)

for (const script of scriptNames) {
  tap.test(`${script}: a key that holds something else is an error, and everything stays as it was`, async (t) => {
    for (const name of calls[script].keys) {
      await redis.flushdb()
      const { scene, words } = await prepareCall(engine, redis, script)
      await redis.del(scene.key(name))
      await redis.set(scene.key(name), 'something else')
      const before = await dump(redis)
      await t.rejects(scene.run(script, ...words), /^WRONGTYPE /, name)
      t.strictSame(await dump(redis), before, `and nothing was written, ${name} being wrong`)
    }
  })
}

tap.test('a Redis that is full', async (t) => {
  const own = await ownRedis(t)
  await own.start()
  const full = await freshEngine(t, { server: own.url })
  const refused: readonly ScriptName[] = ['hold', 'checkout', 'begin', 'publish']
  const readers: readonly ScriptName[] = ['read', 'audit']

  for (const script of scriptNames) {
    const promise = refused.includes(script) ? 'is refused before it has written anything, and works again once there is room' : 'still works'
    await t.test(`${script} ${promise}`, async (tt) => {
      await full.redis.flushdb()
      const { scene, words } = await prepareCall(full.engine, full.redis, script)
      const before = await dump(full.redis)
      // Less than Redis takes for itself.
      await own.set('maxmemory', '1')
      const reply = await scene.run(script, ...words).catch((error: Error) => error)
      await own.set('maxmemory', '0')
      if (refused.includes(script)) {
        tt.match(reply, { message: /^OOM / })
        tt.strictSame(await dump(full.redis), before)
        await scene.run(script, ...words)
      } else tt.notOk(reply instanceof Error, String(reply))
      if (readers.includes(script)) tt.strictSame(await dump(full.redis), before)
      else tt.strictNotSame(await dump(full.redis), before, 'and has done what it was asked for')
    })
  }
})
