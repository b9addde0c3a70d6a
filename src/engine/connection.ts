/**
 * The connection to Redis. It never sends a write twice by itself: a command whose reply was cut fails, and the
 * caller, who has a key or an idempotent request, decides. It serves only a Redis that keeps what it acknowledges.
 */
import { Redis } from 'ioredis'
import type { Logger } from '../log.js'
import { loadScripts } from './scripts.js'

/** How long a command may take before its outcome counts as unknown. */
const commandTimeoutMs = 1_000
/** The longest pause between two attempts to connect. */
const reconnectBoundMs = 500

/** What Redis must be set to, so that an acknowledged write survives a kill and none is evicted. */
const durable: Readonly<Record<string, string>> = {
  appendonly: 'yes',
  appendfsync: 'always',
  'maxmemory-policy': 'noeviction',
  'no-appendfsync-on-rewrite': 'no',
}

/** This Redis may lose what it has acknowledged: no sale can run on it. */
export class UnfitRedisError extends Error {
  override name = 'UnfitRedisError'
}

export interface ConnectionOptions {
  readonly url: string
  /** `trusted`: the operator answers for the durability of a Redis where CONFIG is forbidden. */
  readonly durability: 'checked' | 'trusted'
  readonly log: Logger
  /** Called when the Redis that answers cannot be used. */
  readonly onUnfit: (error: UnfitRedisError) => void
}

export interface Connection {
  readonly redis: Redis
  /** @throws where Redis is away, or has not been found fit yet */
  usable(): Redis
  /** Whether replicas can be asked what is on their disks (WAITAOF), not only what they have received. */
  syncsReplicas(): boolean
  /** Resolves once Redis has been found fit for the first time. */
  readonly ready: Promise<void>
  close(): void
}

/** Scripts that say their flags, and are refused up front when memory is short, came with Redis 7. */
const oldestVersion = 7

/** @returns its version, as far as a comma goes: 7.2 */
async function checkVersion(redis: Redis): Promise<number> {
  const version = /^redis_version:(\S+)/m.exec(await redis.info('server'))?.[1] ?? 'unknown'
  if (!(Number.parseInt(version, 10) >= oldestVersion)) {
    throw new UnfitRedisError(`Redis ${version} is too old: its version must be at least ${oldestVersion}`)
  }
  return Number.parseFloat(version)
}

/** A client that was refused its database goes on in another one. */
async function checkDatabase(redis: Redis): Promise<void> {
  const { db = 0 } = redis.options
  try {
    await redis.select(db)
  } catch (cause) {
    if (cause instanceof Error && cause.message.startsWith('ERR')) throw new UnfitRedisError(`REDIS_URL: this Redis has no database ${db}`, { cause })
    throw cause
  }
}

async function checkDurability(redis: Redis): Promise<void> {
  let pairs: unknown
  try {
    pairs = await redis.config('GET', ...Object.keys(durable))
  } catch (cause) {
    if (cause instanceof Error && /^NOPERM|unknown command/.test(cause.message)) {
      throw new UnfitRedisError(
        'Redis does not let its durability be checked (CONFIG GET): set REDIS_DURABILITY=trusted if you answer for it',
        { cause },
      )
    }
    throw cause
  }
  const settings = new Map<string, string>()
  if (Array.isArray(pairs)) for (let i = 0; i + 1 < pairs.length; i += 2) settings.set(String(pairs[i]), String(pairs[i + 1]))
  for (const [name, needed] of Object.entries(durable)) {
    const found = settings.get(name)
    if (found !== needed) {
      throw new UnfitRedisError(`Redis may lose acknowledged writes: ${name} is ${found ?? 'unknown'}, and must be ${needed}`)
    }
  }
}

/** Opens the connection; it waits for a Redis that is away, for as long as it takes. */
export function connect({ url, durability, log, onUnfit }: ConnectionOptions): Connection {
  const redis = new Redis(url, {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    commandTimeout: commandTimeoutMs,
    connectTimeout: commandTimeoutMs,
    // A connection over which nothing comes back any more is given up, not only each command on it.
    socketTimeout: 2 * commandTimeoutMs,
    retryStrategy: (attempt) => Math.min(attempt * 50, reconnectBoundMs),
  })
  let fit = false
  let version = 0
  let away = false
  let announce: () => void = () => undefined
  const ready = new Promise<void>((resolve) => {
    announce = resolve
  })

  // Every time: another server may answer now, and a restarted one has forgotten its scripts.
  async function prepare(): Promise<void> {
    try {
      version = await checkVersion(redis)
      await checkDatabase(redis)
      if (durability === 'checked') await checkDurability(redis)
      await loadScripts(redis)
      fit = true
      away = false
      announce()
    } catch (error) {
      if (error instanceof UnfitRedisError) onUnfit(error)
      else {
        // Said once, not at every attempt.
        if (!away) log.warn({ err: error }, 'Redis answers and cannot be used')
        away = true
        redis.disconnect(true)
      }
    }
  }

  redis.on('ready', () => void prepare())
  redis.on('error', (error: Error) => {
    if (!away) log.warn({ err: error }, 'Redis is away')
    away = true
  })
  redis.on('close', () => {
    fit = false
  })

  return {
    redis,
    ready,
    usable() {
      if (!fit) throw new Error('Redis is away')
      return redis
    },
    syncsReplicas: () => version >= 7.2,
    close: () => redis.disconnect(),
  }
}
