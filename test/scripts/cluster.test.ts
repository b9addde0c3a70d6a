/** On a Redis Cluster a sale lies in one slot: every script runs there as it does elsewhere. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import tap from 'tap'
import { bringUp } from '../../src/cli/servers.js'
import { connect, createEngine } from '../../src/engine/engine.js'
import { scriptNames, scripts } from '../../src/engine/scripts.js'
import { shardKeyNames, shardKeys } from '../../src/keys.js'
import { createLogger } from '../../src/log.js'
import { until } from '../races/processes.js'
import { readers } from '../races/trouble.js'
import { dump, publishSale } from '../redis.js'
import { prepareCall } from './calls.js'

const slots = 16_384

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

/** @returns the address of a cluster of one node, which has all slots */
async function startCluster(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'flash-sale-cluster-'))
  await chmod(folder, 0o755)
  const { REDIS_URL: _, ...env } = process.env
  const redisSettings = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())]
  const servers = await bringUp({ dataFolder: join(folder, 'data'), say: () => {}, env, redisSettings })
  tap.teardown(async () => {
    await servers.stop()
    await rm(folder, { recursive: true, force: true })
  })
  return servers.redisUrl
}

const url = await startCluster()
const redis = new Redis(url, { enableReadyCheck: false })
tap.teardown(() => redis.disconnect())
await redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, slots - 1)
await until('the cluster serves', async () => String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
const connection = connect({ url, durability: 'checked', log: createLogger('silent'), onUnfit: (error) => tap.fail(error.message) })
tap.teardown(() => connection.close())
await connection.ready
const engine = createEngine({ connection, nothingPublished: async () => true })

const slotOf = (key: string): Promise<unknown> => redis.call('CLUSTER', 'KEYSLOT', key)

for (const script of scriptNames) {
  tap.test(`${script} finds all of its keys in one slot, and refuses keys of two`, async (t) => {
    await redis.flushdb()
    const { scene, words } = await prepareCall(engine, redis, script)
    const keys = shardKeys(scene.shard)
    t.equal(new Set(await Promise.all(keys.map(slotOf))).size, 1, 'all keys share a slot')

    const others = shardKeys({ saleId: 'another', shard: 0 })
    t.not(await slotOf(others[0]!), await slotOf(keys[0]!), 'which another sale does not')
    const before = await dump(redis)
    for (const [i, other] of others.entries()) {
      await t.rejects(redis.evalsha(scripts[script].digest, keys.length, ...keys.with(i, other), ...words), /^CROSSSLOT /, shardKeyNames[i]!)
    }
    t.strictSame(await dump(redis), before, 'and nothing was written')

    await scene.run(script, ...words)
    if (readers.includes(script)) t.strictSame(await dump(redis), before)
    else t.strictNotSame(await dump(redis), before, 'it has done what it was asked for')
  })
}

tap.test('sales of many slots run side by side', async (t) => {
  await redis.flushdb()
  const sales = await Promise.all(Array.from({ length: 20 }, () => publishSale(engine)))
  t.ok(new Set(await Promise.all(sales.map(({ saleId }) => slotOf(shardKeys({ saleId, shard: 0 })[0]!)))).size > 1)
  for (const { saleId } of sales) {
    t.match(await engine.createCart(saleId, [{ sku: 'A', quantity: 3 }]), { status: 'open' })
    t.match(await engine.item(saleId, 'A'), { stock: { quantity: 10, available: 7, inCarts: 3 } })
  }
})
