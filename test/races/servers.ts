/** A Redis and a Postgres of a test's own, that can be stopped, killed and started again on what their disk has. */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { bringUp, type Servers } from '../../src/cli/servers.js'
import { birthOf } from '../../src/cli/servers/processes.js'
import { type Forwarder, forward, portOf, through } from './forwarder.js'
import { until } from './processes.js'

export interface OwnServer {
  /** Its address, the same before and after. @throws before the first start */
  readonly url: string
  readonly line: Forwarder
  /** The number of its process. @throws where it does not run */
  pid(): Promise<number>
  start(): Promise<void>
  /** SIGKILL to it and to what it started: it loses whatever it has not written. */
  kill(): Promise<void>
  stop(): Promise<void>
}

export interface OwnRedis extends OwnServer {
  set(setting: string, value: string): Promise<void>
}

export async function ownRedis(t: Test): Promise<OwnRedis> {
  const own = await ownServer(t, 'REDIS_URL', 6_379)
  return {
    ...own,
    url: through('redis://127.0.0.1', own.line),
    async set(setting, value) {
      const redis = new Redis(own.address())
      await redis.config('SET', setting, value).finally(() => redis.disconnect())
    },
  }
}

/** Its database is empty: nothing has migrated it. */
export async function ownPostgres(t: Test): Promise<OwnServer> {
  const own = await ownServer(t, 'DATABASE_URL', 5_432)
  return { ...own, get url() { return through(own.address(), own.line) } }
}

async function ownServer(t: Test, variable: 'REDIS_URL' | 'DATABASE_URL', standardPort: number): Promise<Omit<OwnServer, 'url'> & { address(): string }> {
  const folder = await mkdtemp(join(tmpdir(), 'flash-sale-races-'))
  await chmod(folder, 0o755)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  // The other one is the tests' common one.
  const { [variable]: _, ...env } = process.env
  let servers: Servers | null = null
  let address: string | null = null
  const line = await forward(t, 0)

  async function stop(): Promise<void> {
    line.cut()
    await servers?.stop()
    servers = null
  }
  t.teardown(stop)

  async function pid(): Promise<number> {
    const { started } = JSON.parse(await readFile(join(folder, 'data/running.json'), 'utf8')) as { started: { pid: number }[] }
    return started[0]!.pid
  }
  return {
    line,
    pid,
    stop,
    address() {
      if (address === null) throw new Error('it has not been started')
      return address
    },
    async start() {
      servers = await bringUp({ dataFolder: join(folder, 'data'), say: () => {}, env })
      address = variable === 'REDIS_URL' ? servers.redisUrl : servers.databaseUrl
      line.target(portOf(address, standardPort))
      line.mend()
    },
    async kill() {
      const first = await pid()
      // Postgres works in processes of their own: all of them go, as where a machine goes.
      const children = await readFile(`/proc/${first}/task/${first}/children`, 'utf8').catch(() => '')
      const all = [first, ...children.split(' ').filter(Boolean).map(Number)]
      for (const one of all) {
        try {
          process.kill(one, 'SIGKILL')
        } catch (error) {
          // One that went with the first, or by itself.
          if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
        }
      }
      await until('it is dead', async () => (await Promise.all(all.map(birthOf))).every((birth) => birth === null))
      await stop()
    },
  }
}
