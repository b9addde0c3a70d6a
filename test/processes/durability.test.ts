/** A Redis whose settings nobody may look at: the operator answers for its durability, or nothing starts. */
import { Redis } from 'ioredis'
import tap from 'tap'
import { freshDatabase } from '../postgres.js'
import { assertAccounts, persisted, told } from '../races/accounts.js'
import { adminToken, atWork, startApi, startProcess, startWorker, type Stores, webhookSecret } from '../races/processes.js'
import { ownRedis } from '../races/servers.js'
import { buy, publish, ready, ware } from '../races/shop.js'

const password = 'hunter2'

const own = await ownRedis(tap)
await own.start()
const redis = new Redis(own.url)
tap.teardown(() => redis.disconnect())
// As managed services do it: everything but a look at the settings.
await redis.call('ACL', 'SETUSER', 'shop', 'on', `>${password}`, '~*', '&*', '+@all', '-config')
const managed = new URL(own.url)
managed.username = 'shop'
managed.password = password
const stores: Stores = { redisUrl: managed.href, databaseUrl: await freshDatabase(tap) }

tap.test('checked, it is refused with one line that says how to answer for it, and shows no password', async (t) => {
  for (const script of ['src/api.js', 'workers/worker.js']) {
    const secrets = { ADMIN_TOKEN: adminToken, PAYMENT_WEBHOOK_SECRET: webhookSecret }
    const refused = startProcess(t, script, stores, { LOG_LEVEL: 'error', PORT: '0', ...secrets, REDIS_DURABILITY: 'checked' })
    t.strictSame(await refused.ended, { code: 1, signal: null }, script)
    t.equal(refused.lines.length, 1, refused.lines.join('\n'))
    t.match(refused.lines[0], /CONFIG GET.*REDIS_DURABILITY=trusted/)
    t.notOk(refused.lines.join().includes(password), refused.lines.join())
  }
})

tap.test('trusted, it serves a whole sale to the row in Postgres', async (t) => {
  const settings = { REDIS_DURABILITY: 'trusted' }
  const [worker, { url: api }] = [startWorker(t, stores, settings), await startApi(t, stores, settings)]
  await Promise.all([atWork(worker), ready(api)])
  const wares = [ware('mug', 5)]
  const { saleId } = await publish(api, wares)
  const paid = await buy([api], saleId, 'mug', 5)
  await persisted(redis, saleId)
  await assertAccounts(t, { redis, stores }, { saleId, wares, ...told(paid) })
})
