/** An API process as it is shipped, and the processes that stand beside it. */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { apiFlags } from '../src/cli/processes.js'
import { freePort, type Running, startBuilt, startOwn } from './processes.js'
import type { Stage } from './stage.js'

const readyWithinMs = 30_000

export interface Server extends Running {
  readonly address: string
}

/** Starts `npm run api` with so many processes on one port, and waits until it serves. */
export async function startApi(stage: Stage, processes = 1): Promise<Server> {
  const port = await freePort()
  const api = stage.own(startBuilt('src/api.js', {
    ...environment(stage),
    HOST: '127.0.0.1',
    PORT: String(port),
    RATE_LIMIT_MAX: '0',
    API_PROCESSES: String(processes),
  }, apiFlags))
  const address = `http://127.0.0.1:${port}`
  await Promise.race([ready(address), api.ended])
  return { ...api, address }
}

/** The environment of a process of the build. */
export const environment = ({ redisUrl, databaseUrl }: Stage): NodeJS.ProcessEnv =>
  ({ ...process.env, REDIS_URL: redisUrl, DATABASE_URL: databaseUrl, LOG_LEVEL: 'warn' })

/** Starts a server of the bench's own, which tells its port once it listens; Node is told the same for it as for an API process. */
export async function startServer(stage: Stage, file: string, args: readonly string[] = []): Promise<Server> {
  const own = stage.own(startOwn(file, args, apiFlags))
  const [said] = (await Promise.race([once(own.child, 'message'), own.ended])) as [{ port: number }]
  return { ...own, address: `http://127.0.0.1:${said.port}` }
}

async function ready(address: string): Promise<void> {
  const deadline = performance.now() + readyWithinMs
  for (;;) {
    const status = await fetch(`${address}/readyz`).then((response) => response.status, () => null)
    if (status === 200) return
    if (performance.now() > deadline) throw new Error('the API is not ready in time')
    await delay(50)
  }
}

export interface Counted {
  /** Calls to Redis for holds, and the requests that they carried. */
  readonly calls: number
  readonly requests: number
  /** Holds refused for want of stock. */
  readonly refused: number
}

/** What the API process itself has counted. */
export async function scrape({ address }: Server): Promise<Counted> {
  const text = await (await fetch(`${address}/metrics`)).text()
  const value = (name: string) => {
    const line = text.split('\n').find((one) => one.startsWith(`${name} `))
    return line === undefined ? 0 : Number(line.slice(name.length + 1))
  }
  return {
    calls: value('flash_sale_batch_size_count{script="hold"}'),
    requests: value('flash_sale_batch_size_sum{script="hold"}'),
    refused: value('flash_sale_holds_total{result="insufficient_stock"}'),
  }
}
