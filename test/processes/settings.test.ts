/** A start that cannot go well ends at once: with 1, and one line that says what to put right, and shows no secret. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import tap, { type Test } from 'tap'
import { freshDatabase } from '../postgres.js'
import { adminToken, startApi, startProcess, webhookSecret } from '../races/processes.js'
import { freshRedis } from '../redis.js'

const { url: redisUrl } = await freshRedis(tap)
const databaseUrl = await freshDatabase(tap)

/** Stands in every value below where a secret could. */
const secret = 'hunter2'

const sharedFaults: readonly (readonly [string, string])[] = [
  ['REDIS_URL', `http://:${secret}@redis`],
  ['DATABASE_URL', `mysql://shop:${secret}@db/shop`],
  ['LOG_LEVEL', secret],
  ['REDIS_DURABILITY', secret],
]
const apiFaults: readonly (readonly [string, string])[] = [
  ['PORT', secret],
  ['API_PROCESSES', secret],
  ['ADMIN_TOKEN', `${secret} and more`],
  ['PAYMENT_WEBHOOK_SECRET', `${secret},,`],
  ['TRUST_PROXY', secret],
]

interface Refusal {
  readonly code: number | null
  readonly lines: readonly string[]
}

async function start(t: Test, script: string, settings: Readonly<Record<string, string>>): Promise<Refusal> {
  const { REDIS_URL = redisUrl, DATABASE_URL = databaseUrl, ...others } = settings
  const secrets = { ADMIN_TOKEN: adminToken, PAYMENT_WEBHOOK_SECRET: webhookSecret }
  const refused = startProcess(t, script, { redisUrl: REDIS_URL, databaseUrl: DATABASE_URL }, { LOG_LEVEL: 'error', PORT: '0', ...secrets, ...others })
  const { code } = await refused.ended
  return { code, lines: refused.lines }
}

for (const [name, script, faults] of [
  ['api', 'src/api.js', [...sharedFaults, ...apiFaults]],
  ['worker', 'workers/worker.js', sharedFaults],
  ['migrate', 'src/cli/migrate.js', sharedFaults],
] as const) {
  tap.test(`npm run ${name}: a bad setting ends the start with one line that names it, and not what it holds`, async (t) => {
    const refusals = await Promise.all(faults.map(([setting, value]) => start(t, script, { [setting]: value })))
    for (const [i, { code, lines }] of refusals.entries()) {
      const [setting, value] = faults[i]!
      t.equal(code, 1, `${setting}=${value}`)
      t.equal(lines.length, 1, lines.join('\n'))
      t.match(lines[0], new RegExp(`\\b${setting}: `))
      t.notOk(lines.join().includes(secret), lines.join())
    }
  })
}

tap.test('an API whose port is taken says so in one line', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  t.strictSame(await start(t, 'src/api.js', { PORT: String(port) }), { code: 1, lines: [`PORT: ${port} on 127.0.0.1 is taken by another process`] })
})

tap.test('an API that is to listen on no address of this machine says so in one line', async (t) => {
  // One that is kept for examples, what is none at all, and one that is of a link without saying which.
  for (const host of ['192.0.2.1', 'not an address', 'fe80::1']) {
    const { code, lines } = await start(t, 'src/api.js', { HOST: host })
    t.equal(code, 1, host)
    t.equal(lines.length, 1, lines.join('\n'))
    t.match(lines[0], new RegExp(`^HOST: ${host} is no address that this machine can listen on \\(E[A-Z]+\\)$`))
  }
})

for (const [name, script] of [['api', 'src/api.js'], ['worker', 'workers/worker.js']] as const) {
  tap.test(`npm run ${name}: a database that Redis does not have is refused in one line, rather than another one used`, async (t) => {
    const url = new URL(redisUrl)
    url.pathname = '/99'
    const { code, lines } = await start(t, script, { REDIS_URL: url.href })
    t.equal(code, 1)
    t.equal(lines.length, 1, lines.join('\n'))
    t.match(lines[0], /REDIS_URL: this Redis has no database 99$/)
  })
}

tap.test('an API listens where it is told to', async (t) => {
  const { url, lines } = await startApi(t, { redisUrl, databaseUrl }, { HOST: '127.0.0.2' })
  t.match(url, /^http:\/\/127\.0\.0\.2:\d+$/, lines.join('\n'))
  t.equal((await fetch(`${url}/healthz`)).status, 200)
})
