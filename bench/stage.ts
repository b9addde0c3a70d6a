/**
 * What a run stands on: servers, an empty Redis, a database of its own, an engine that seeds and looks; and the end of all
 * of it, whatever happens.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { Client, Pool } from 'pg'
import { bringUp } from '../src/cli/servers.js'
import { type Database, openDatabase } from '../src/database.js'
import { connect, createEngine, type Engine } from '../src/engine/engine.js'
import { createLogger } from '../src/log.js'
import { migrate } from '../src/migrations.js'
import type { Running } from './processes.js'

export interface Stage {
  readonly say: (line: string) => void
  /** The folder whose disk the servers write to; null where they are somebody else's. */
  readonly folder: string | null
  readonly redisUrl: string
  readonly databaseUrl: string
  readonly redis: Redis
  readonly postgres: Pool
  readonly database: Database
  readonly engine: Engine
  /** Has a process ended with the stage, where it still runs by then. @returns it */
  own<Process extends Running>(process: Process): Process
}

export interface OpenStage extends Stage {
  /** Ends and removes what was started and made, the last first. Done twice, it does nothing the second time. */
  close(): Promise<void>
}

export async function openStage(say: (line: string) => void, signal: AbortSignal): Promise<OpenStage> {
  const undo: (() => Promise<unknown>)[] = []
  let closing: Promise<void> | null = null
  async function close(): Promise<void> {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
      await step().catch((error: unknown) => say(`While ending: ${String(error)}`))
    }
  }

  try {
    const folder = await mkdtemp(join(tmpdir(), 'flash-sale-bench-'))
    undo.push(() => rm(folder, { recursive: true, force: true }))
    const servers = await bringUp({ dataFolder: folder, say, signal })
    undo.push(() => servers.stop())

    const { redisUrl } = servers
    const redis = new Redis(redisUrl)
    undo.push(async () => redis.disconnect())
    // It is emptied in the end, so what is in it has to be ours.
    if ((await redis.dbsize()) > 0) throw new Error('REDIS_URL must name an empty Redis database: the bench flushes it in the end.')
    undo.push(() => redis.flushdb())

    const databaseUrl = await makeDatabase(servers.databaseUrl, undo)
    await migrate(databaseUrl)
    const postgres = new Pool({ connectionString: databaseUrl, max: 2 })
    undo.push(() => postgres.end())
    const database = openDatabase(databaseUrl)
    undo.push(() => database.close())

    let unfit: (error: Error) => void = () => undefined
    const isUnfit = new Promise<never>((_resolve, reject) => { unfit = reject })
    const durability = process.env['REDIS_DURABILITY'] === 'trusted' ? 'trusted' : 'checked'
    const connection = connect({ url: redisUrl, durability, log: createLogger('warn'), onUnfit: (error) => unfit(error) })
    undo.push(async () => connection.close())
    await Promise.race([connection.ready, isUnfit])
    signal.throwIfAborted()
    const engine = createEngine({ connection, nothingPublished: async () => !(await database.anySale()) })
    // Now, while Postgres knows of no sale either, it is put down that this Redis has lost nothing.
    await engine.assertWhole()

    return {
      say,
      folder: process.env['REDIS_URL'] ? null : folder,
      redisUrl,
      databaseUrl,
      redis,
      postgres,
      database,
      engine,
      own(process) {
        undo.push(() => process.stop())
        return process
      },
      close: () => (closing ??= close()),
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** @returns the URL of a new database on a server */
async function makeDatabase(server: string, undo: (() => Promise<unknown>)[]): Promise<string> {
  const name = `bench_${randomBytes(6).toString('hex')}`
  await runOn(server, `create database ${name}`)
  undo.push(() => runOn(server, `drop database ${name} with (force)`))
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

async function runOn(databaseUrl: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
