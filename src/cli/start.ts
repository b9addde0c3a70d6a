/** `npm start`: the whole shop from one command, and nothing left behind when it ends. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ApiSettings, readSettings, SettingsError } from '../config.js'
import { DemoError, demoSaleId, demoSku, makeDemoSale } from './demo.js'
import { apiFlags, type OwnProcess, startProcess } from './processes.js'
import { bringUp, type Servers } from './servers.js'
import { stopLeftovers } from './servers/record.js'
import { ServersError } from './servers/surroundings.js'

const readyWithinMs = 60_000
/** What is in flight is answered well within this; the servers' own bound and this one together stay under ten seconds. */
const drainBoundMs = 6_000

/** Ends the start with its message alone, as settings and servers that are off do. */
class StartError extends Error {}

const say = (line: string) => console.log(line)
const env = process.env
const dataFolder = resolve(env['DATA_FOLDER'] || '.data')

const end = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // Under npm a Ctrl-C arrives twice, and people press it again: only the first one counts, and none cuts the drain short.
  process.on(signal, () => end.abort('asked'))
}

let servers: Servers | null = null
const processes: OwnProcess[] = []
let code = 0
try {
  await start()
  await aborted(end.signal)
} catch (error) {
  if (!end.signal.aborted) end.abort(error)
}
if (end.signal.reason === 'asked') say('Stopping: what is in flight is answered first.')
else {
  code = 1
  const reason: unknown = end.signal.reason
  const plain = reason instanceof StartError || reason instanceof DemoError || reason instanceof ServersError || reason instanceof SettingsError
  console.error(plain ? reason.message : reason)
}
await Promise.all(processes.map((own) => own.stop(drainBoundMs)))
// After the processes that use them: a worker's last batch still has to reach Postgres.
await (servers as Servers | null)?.stop()
if (code === 0) say('Stopped.')
process.exit(code)

async function start(): Promise<void> {
  const settings = readSettings('api', { ...env, REDIS_URL: '', DATABASE_URL: '' })
  const { signal } = end
  await mkdir(dataFolder, { recursive: true })
  await stopLeftovers(dataFolder, say)
  const port = await freePort(settings)
  servers = await bringUp({ dataFolder, say, env, signal })

  const secrets = await secretsIn(dataFolder)
  const shared: NodeJS.ProcessEnv = {
    ...env,
    ...secrets,
    REDIS_URL: servers.redisUrl,
    DATABASE_URL: servers.databaseUrl,
    PORT: String(port),
    // A line a request would drown what this prints.
    LOG_LEVEL: env['LOG_LEVEL'] || 'warn',
  }
  const migrate = await begin('migrate', 'src/cli/migrate.js', shared, servers)
  const { code: failed } = await Promise.race([migrate.ended, aborted(signal)])
  if (failed !== 0) throw new StartError('The database could not be brought up to date; the line above says why.')

  for (const [name, script, flags] of [['api', 'src/api.js', apiFlags], ['worker', 'workers/worker.js', []]] as const) {
    const started = await begin(name, script, shared, servers, flags)
    void started.ended.then(({ how }) => end.abort(new StartError(`The ${name} ended unexpectedly (${how}): shutting everything down.`)))
  }

  const address = addressOf(settings.host, port)
  await ready(address, signal)
  const sale = await makeDemoSale({ address, adminToken: secrets.ADMIN_TOKEN, signal })
  say(greeting(address, sale, env['ADMIN_TOKEN'] ? 'the one given in ADMIN_TOKEN' : secrets.ADMIN_TOKEN, env['REDIS_URL'] && env['DATABASE_URL'] ? null : servers))
}

async function begin(name: string, script: string, environment: NodeJS.ProcessEnv, { remember }: Servers, flags: readonly string[] = []): Promise<OwnProcess> {
  const started = await startProcess(name, script, environment, flags, say)
  processes.push(started)
  await remember(name, started.pid, started.mark)
  return started
}

/** Finds out before anything is started, and gives the port: 0 asks for any that is free. */
async function freePort({ host, port }: ApiSettings): Promise<number> {
  const probe = createServer()
  try {
    await once(probe.listen(port, host), 'listening')
  } catch (error) {
    const { code: why, message } = error as NodeJS.ErrnoException
    if (why !== 'EADDRINUSE') throw new StartError(`PORT ${port} on HOST ${host} cannot be used: ${message}.`)
    throw new StartError(`Port ${port} on ${host} is taken: stop what listens there (another npm start?), or choose another one: PORT=${port === 3_100 ? 3_101 : 3_100} npm start`)
  }
  const found = (probe.address() as AddressInfo).port
  probe.close()
  await once(probe, 'close')
  return found
}

/** The secrets given, or made once and kept for their owner alone, so that a second start answers to the same. */
async function secretsIn(folder: string): Promise<{ ADMIN_TOKEN: string; PAYMENT_WEBHOOK_SECRET: string }> {
  const path = join(folder, 'secrets.json')
  const kept = await readFile(path, 'utf8').catch(() => null)
  const made = kept === null ? { adminToken: secret(), webhookSecret: secret() } : (JSON.parse(kept) as { adminToken: string; webhookSecret: string })
  if (kept === null) await writeFile(path, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 })
  return { ADMIN_TOKEN: env['ADMIN_TOKEN'] || made.adminToken, PAYMENT_WEBHOOK_SECRET: env['PAYMENT_WEBHOOK_SECRET'] || made.webhookSecret }
}

function secret(): string {
  return randomBytes(24).toString('base64url')
}

/** Where a client on this machine finds a server that listens on `host`. */
function addressOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

async function ready(address: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + readyWithinMs
  for (;;) {
    const status = await fetch(`${address}/readyz`, { signal }).then((response) => response.status, () => null)
    if (status === 200) return
    if (performance.now() > deadline) throw new StartError(`The API is not ready after ${readyWithinMs / 1000} s (GET ${address}/readyz).`)
    await delay(100, undefined, { signal })
  }
}

/** Waits for the end, whatever brings it. */
async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}

function greeting(address: string, sale: string, adminToken: string, own: Servers | null): string {
  const json = `-H 'content-type: application/json'`
  return `
${sale}

  open    ${address}/
  docs    ${address}/docs
  admin   ${address}/admin, and in calls: Authorization: Bearer ${adminToken}${own === null ? '' : `
  stores  export REDIS_URL=${own.redisUrl} DATABASE_URL=${own.databaseUrl}`}

The same by hand, in another terminal: see the sale, put one item into a cart, look at its stock again.

  curl -s ${address}/v1/sales/${demoSaleId}
  curl -s -X POST ${address}/v1/sales/${demoSaleId}/carts ${json} -d '{"items":[{"sku":"${demoSku}","quantity":1}]}'
  curl -s ${address}/v1/sales/${demoSaleId}/items/${demoSku}

Ctrl-C stops everything. What was sold stays sold: the data is kept for the next start.
`
}
