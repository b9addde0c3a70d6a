import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import tap from 'tap'
import { connect, createEngine } from '../../src/engine/engine.js'
import { loadScripts, runScript, scriptNames, scripts } from '../../src/engine/scripts.js'
import { newLocalId } from '../../src/ids.js'
import { createLogger } from '../../src/log.js'
import { isRefusal } from '../../src/problems.js'
import { forward, portOf, through } from '../races/forwarder.js'
import { until } from '../races/processes.js'
import { counters, freshEngine, publishSale } from '../redis.js'

const { engine, redis, url } = await freshEngine(tap)

tap.test('every script begins with its engine, so that Redis refuses it up front where it cannot write', async (t) => {
  for (const name of scriptNames) t.match(scripts[name].source, /^#!lua( flags=[a-z,-]+)?\n/, name)
})

tap.test('when Redis is out of memory, whatever frees some still runs, up to the outbox on its way to Postgres', async (t) => {
  for (const name of ['sweep', 'remove', 'cancel', 'settle', 'adjust', 'due', 'claim', 'acknowledge', 'close', 'control', 'stray'] as const) {
    t.match(scripts[name].source.split('\n')[0], /\ballow-oom\b/, name)
  }
})

tap.test('when Redis is out of memory, a customer can still read', async (t) => {
  t.match(scripts.read.source.split('\n')[0], /\b(no-writes|allow-oom)\b/)
})

tap.test('every file of lua/ is sent, or shared by all that are', async (t) => {
  const files = readdirSync(new URL('../../lua/', import.meta.url)).map((file) => file.replace(/\.lua$/, ''))
  t.strictSame(files.filter((file) => !['shard', 'orders', 'lines'].includes(file)).toSorted(), [...scriptNames].toSorted())
})

tap.test('every operation says at its head what it is given and what it answers', async (t) => {
  for (const name of scriptNames) {
    const source = readFileSync(new URL(`../../lua/${name}.lua`, import.meta.url), 'utf8')
    t.match(source, /^(#!lua[^\n]*\n)?-- [^]*\n--\n-- ARGV[^]*\n-- Replies: /, name)
  }
})

tap.test('a script is called by the digest that Redis gives it', async (t) => {
  for (const name of scriptNames) {
    t.equal(scripts[name].digest, createHash('sha1').update(scripts[name].source).digest('hex'))
    t.equal(await redis.script('LOAD', scripts[name].source), scripts[name].digest, name)
  }
})

tap.test('loading makes every script known at once', async (t) => {
  await loadScripts(redis)
  const known = await redis.script('EXISTS', ...scriptNames.map((name) => scripts[name].digest))
  t.strictSame(known, scriptNames.map(() => 1))
})

tap.test('a Redis that has forgotten its scripts gets them again, in the middle of a sale, and does each thing once', async (t) => {
  const { saleId } = await publishSale(engine, { items: { A: 100 } })
  const shard = { saleId, shard: 0 }
  const hold = (id: string) => runScript(redis, 'hold', shard, [1, id, 'C . . A=1', 1])
  await hold(newLocalId())
  await redis.script('FLUSH')
  t.match(await hold('forgotten'), ['1', /^1 OK open forgotten /])
  await redis.script('FLUSH')
  const carts = await Promise.all(Array.from({ length: 20 }, () => hold(newLocalId())))
  t.ok(carts.every((reply) => Array.isArray(reply) && /^1 OK /.test(String(reply[1]))))
  await redis.script('FLUSH')
  t.match(await engine.item(saleId, 'A'), { stock: { quantity: 100, available: 78, inCarts: 22 } })
})

tap.test('what Redis did and nobody heard of is done once: only who asked may ask again', async (t) => {
  const { saleId } = await publishSale(engine, { items: { A: 10 } })
  const line = await forward(t, portOf(url, 6379))
  const connection = connect({ url: through(url, line), durability: 'checked', log: createLogger('silent'), onUnfit: (error) => t.fail(error.message) })
  t.teardown(() => connection.close())
  await connection.ready
  const cut = createEngine({ connection, nothingPublished: async () => true })
  const lines = [{ sku: 'A', quantity: 1 }]
  t.notOk(isRefusal(await cut.createCart(saleId, lines)))

  line.mute()
  const unheard = cut.createCart(saleId, lines).then(() => 'answered', () => 'not known')
  await until('Redis has taken the unit', async () => (await counters(redis, saleId, 'A')).inCarts === 2)
  line.cut()
  line.mend()
  t.equal(await unheard, 'not known')
  await until('the connection is back', async () => cut.item(saleId, 'A').then(() => true, () => false))
  t.match(await cut.item(saleId, 'A'), { stock: { available: 8, inCarts: 2 } })
})

tap.test('whatever else goes wrong in a script is the caller’s to know, and leaves no trace', async (t) => {
  const { saleId } = await publishSale(engine)
  const shard = { saleId, shard: 0 }
  await redis.hset(`fs:{${saleId}.0}:stock`, 'A', '10 11 0 0 0 2500 0')
  await t.rejects(runScript(redis, 'hold', shard, [1, 'x', 'C . . A=1', 1]), /INVARIANT A: allocation 10, available 10, in carts 1/)
  t.equal(await redis.exists(`fs:{${saleId}.0}:carts`, `fs:{${saleId}.0}:deadlines`), 0)
})
