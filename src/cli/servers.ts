import { resolve } from 'node:path'
import { postgresTrouble, startPostgres } from './servers/postgres.js'
import { claimFolder } from './servers/record.js'
import { redisTrouble, startRedis } from './servers/redis.js'
import { folderFor, serviceUser, ServersError, type Surroundings } from './servers/surroundings.js'

export interface Servers {
  redisUrl: string
  databaseUrl: string
  /** Notes a process that was started to use the servers: should this one be killed, the next start stops that one too. */
  remember(name: string, pid: number, mark: string): Promise<void>
  /** Ends what was started here, and nothing else. */
  stop(): Promise<void>
}

export interface BringUpOptions {
  /** Where the servers' data, logs and record live, from one start to the next. */
  dataFolder: string
  say: (line: string) => void
  env?: NodeJS.ProcessEnv
  /** Gives up on the way. */
  signal?: AbortSignal
  /** Where to look for an installed Postgres, other than in the system's own place. */
  postgresFolders?: string[]
  /** What a Redis of our own is told besides what the engine demands of it: `--name`, `value`, … */
  redisSettings?: readonly string[]
}

/**
 * Redis and Postgres to run with: the ones that `REDIS_URL` and `DATABASE_URL` name, each on its own, or private ones on
 * loopback. It says which it takes. What goes wrong here is a ServersError, written for the person who started it.
 */
export async function bringUp(options: BringUpOptions): Promise<Servers> {
  const { say, env = process.env, signal } = options
  const dataFolder = resolve(options.dataFolder)
  const givenRedis = await given('REDIS_URL', 'Redis', env, redisTrouble)
  const givenPostgres = await given('DATABASE_URL', 'Postgres', env, postgresTrouble)

  const claim = await claimFolder(dataFolder, say)
  const started: { stop(): Promise<void> }[] = []
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()))
    await claim.release()
  }
  try {
    const user = serviceUser()
    const folder = givenRedis && givenPostgres ? dataFolder : await folderFor(dataFolder, user, env, say)
    const around: Surroundings = { folder, user, env, say, claim, signal }
    let redisUrl = givenRedis
    if (redisUrl === null) {
      const redis = await startRedis(around, options.redisSettings)
      started.push(redis)
      redisUrl = `redis://127.0.0.1:${redis.port}`
    } else say(`Redis at ${hostOf(redisUrl)}, from REDIS_URL.`)
    let databaseUrl = givenPostgres
    if (databaseUrl === null) {
      const postgres = await startPostgres(around, options.postgresFolders)
      started.push(postgres)
      databaseUrl = postgres.url
    } else say(`Postgres at ${hostOf(databaseUrl)}, from DATABASE_URL.`)
    return {
      redisUrl,
      databaseUrl,
      stop,
      remember: async (name, pid, mark) => void (await claim.remember(name, pid, [mark], 'SIGTERM')),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A URL that somebody set is meant: when nothing answers there, another server would be the wrong one. */
async function given(key: string, name: string, env: NodeJS.ProcessEnv, trouble: (url: string) => Promise<string | null>): Promise<string | null> {
  const url = env[key]
  if (!url) return null
  if (!URL.canParse(url)) throw new ServersError(`${key} is set, but it is not a URL.`)
  const why = await trouble(url)
  if (why !== null) throw new ServersError(`${key} is set, but no ${name} serves at ${hostOf(url)}: ${why}. Start it, or unset ${key} to have one started.`)
  return url
}

/** The part of a URL that may be shown: no user, no password. */
const hostOf = (url: string) => new URL(url).host || 'its socket'
