/** A Redis of a test's own, that can be stopped, killed and started again on what its disk has. */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { bringUp, type Servers } from '../../src/cli/servers.js'
import { birthOf } from '../../src/cli/servers/processes.js'
import { type Forwarder, forward, portOf, through } from './forwarder.js'
import { until } from './processes.js'

export interface OwnRedis {
  /** Its address, the same before and after. */
  readonly url: string
  readonly line: Forwarder
  start(): Promise<void>
  /** SIGKILL: it loses whatever it has not written. */
  kill(): Promise<void>
  stop(): Promise<void>
  set(setting: string, value: string): Promise<void>
}

export async function ownRedis(t: Test): Promise<OwnRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'flash-sale-races-'))
  await chmod(folder, 0o755)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { REDIS_URL: _, ...env } = process.env
  let servers: Servers | null = null
  const line = await forward(t, 0)

  async function stop(): Promise<void> {
    line.cut()
    await servers?.stop()
    servers = null
  }
  t.teardown(stop)
  return {
    url: through('redis://127.0.0.1', line),
    line,
    stop,
    async start() {
      servers = await bringUp({ dataFolder: join(folder, 'data'), say: () => {}, env })
      line.target(portOf(servers.redisUrl, 6379))
      line.mend()
    },
    async kill() {
      const { started } = JSON.parse(await readFile(join(folder, 'data/running.json'), 'utf8')) as { started: { pid: number }[] }
      const { pid } = started[0]!
      process.kill(pid, 'SIGKILL')
      await until('Redis is dead', async () => (await birthOf(pid)) === null)
      await stop()
    },
    async set(setting, value) {
      const redis = new Redis(servers!.redisUrl)
      await redis.config('SET', setting, value).finally(() => redis.disconnect())
    },
  }
}
