/**
 * The settings, once: their schema, their defaults, and the only reader of `process.env`. An empty variable
 * counts as not set, so that a compose file can pass one on without knowing whether it is there.
 */
import { isIP } from 'node:net'
import { type Static, type TObject, Type } from '@sinclair/typebox'
import { envSchema } from 'env-schema'

/** A setting that no process can start with. Its message is one line that names the setting, never its value. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

const Shared = {
  REDIS_URL: Type.String({ default: 'redis://127.0.0.1:6379' }),
  DATABASE_URL: Type.String({ default: 'postgres://postgres@127.0.0.1:5432/flash_sale' }),
  LOG_LEVEL: Type.Unsafe<'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'>(
    Type.String({ default: 'info', enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] }),
  ),
  REDIS_DURABILITY: Type.Unsafe<'checked' | 'trusted'>(Type.String({ default: 'checked', enum: ['checked', 'trusted'] })),
  REDIS_REPLICAS: Type.Integer({ default: 0, minimum: 0, maximum: 16 }),
  NODE_ENV: Type.String({ default: 'development' }),
}
const SharedEnvironment = Type.Object(Shared)
const ApiEnvironment = Type.Object({
  ...Shared,
  HOST: Type.String({ default: '127.0.0.1' }),
  PORT: Type.Integer({ default: 3000, minimum: 0, maximum: 65_535 }),
  API_PROCESSES: Type.Integer({ default: 1, minimum: 1, maximum: 128 }),
  ADMIN_TOKEN: Type.String({ default: '', pattern: '^[\\u0021-\\u007e]*$' }),
  PAYMENT_WEBHOOK_SECRET: Type.String({ default: '' }),
  RATE_LIMIT_MAX: Type.Integer({ default: 0, minimum: 0, maximum: 1_000_000 }),
  TRUST_PROXY: Type.String({ default: '' }),
  CORS_ORIGIN: Type.String({ default: '' }),
})

/** What every process reads. */
export interface Settings {
  readonly redisUrl: string
  readonly databaseUrl: string
  readonly logLevel: Static<typeof SharedEnvironment>['LOG_LEVEL']
  /** `trusted`: the operator answers for the durability of a Redis that cannot be asked. */
  readonly redisDurability: 'checked' | 'trusted'
  /** Replicas that must have a payment before it is acknowledged; 0: none is waited for. */
  readonly redisReplicas: number
  readonly production: boolean
}

export interface ApiSettings extends Settings {
  readonly host: string
  readonly port: number
  /** API processes on this port; 1 is this process alone. */
  readonly processes: number
  /** Null: every operator call answers 401. */
  readonly adminToken: string | null
  /** Any of them may have signed an event; several only while one is rotated. None: every event answers 401. */
  readonly paymentWebhookSecrets: readonly string[]
  /** Requests a second and client address; 0 is off. */
  readonly rateLimitMax: number
  /** Addresses and CIDRs of the proxies whose `X-Forwarded-For` is believed. */
  readonly trustProxy: readonly string[]
  /** Origins whose pages may call; `*` is any. */
  readonly corsOrigins: readonly string[]
}

interface SettingsOf {
  api: ApiSettings
  worker: Settings
  migrate: Settings
}
export type ProcessKind = keyof SettingsOf

/**
 * @returns the settings of one kind of process
 * @throws SettingsError where one of them is off
 */
export function readSettings(process: 'api', env?: NodeJS.ProcessEnv): ApiSettings
export function readSettings(process: 'worker' | 'migrate', env?: NodeJS.ProcessEnv): Settings
export function readSettings(kind: ProcessKind, env: NodeJS.ProcessEnv = process.env): SettingsOf[ProcessKind] {
  if (kind !== 'api') return shared(read(SharedEnvironment, env))
  const api = read(ApiEnvironment, env)
  return {
    ...shared(api),
    host: api.HOST,
    port: api.PORT,
    processes: api.API_PROCESSES,
    adminToken: api.ADMIN_TOKEN || null,
    paymentWebhookSecrets: list('PAYMENT_WEBHOOK_SECRET', api.PAYMENT_WEBHOOK_SECRET, () => true, 'a secret'),
    rateLimitMax: api.RATE_LIMIT_MAX,
    trustProxy: list('TRUST_PROXY', api.TRUST_PROXY, isNetwork, 'an address or a CIDR'),
    corsOrigins: list('CORS_ORIGIN', api.CORS_ORIGIN, isOrigin, '* or an origin such as https://shop.example'),
  }
}

function shared(env: Static<typeof SharedEnvironment>): Settings {
  return {
    redisUrl: url('REDIS_URL', env.REDIS_URL, ['redis:', 'rediss:'], /^\/?$|^\/\d{1,9}$/),
    databaseUrl: url('DATABASE_URL', env.DATABASE_URL, ['postgres:', 'postgresql:'], /^/),
    logLevel: env.LOG_LEVEL,
    redisDurability: env.REDIS_DURABILITY,
    redisReplicas: env.REDIS_REPLICAS,
    production: env.NODE_ENV === 'production',
  }
}

/** Reads what a schema names, and nothing else: the environment holds much that is not ours. */
function read<T extends TObject>(schema: T, env: NodeJS.ProcessEnv): Static<T> {
  const given: Record<string, string> = {}
  for (const name of Object.keys(schema.properties)) {
    const value = env[name]?.trim()
    if (value) given[name] = value
  }
  try {
    // A copy of the schema, since env-schema writes to the one that it is given.
    return envSchema<Static<T>>({ schema: { ...schema }, data: given, env: false })
  } catch (error) {
    throw new SettingsError(firstFault(error), { cause: error })
  }
}

function firstFault(error: unknown): string {
  if (error instanceof Error && 'errors' in error && Array.isArray(error.errors)) {
    const fault: { instancePath?: string; message?: string; params?: { allowedValues?: string[] } } = error.errors[0]
    const allowed = fault.params?.allowedValues
    const rule = allowed ? `must be one of ${allowed.join(', ')}` : fault.message
    return `${fault.instancePath?.slice(1) ?? 'settings'}: ${rule ?? 'is not valid'}`
  }
  return String(error)
}

/** @param path what the URL's path may be: the number of a database, or its name */
function url(name: string, value: string, protocols: readonly string[], path: RegExp): string {
  if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
    throw new SettingsError(`${name}: must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`)
  }
  const { username, password, pathname } = new URL(value)
  if (!path.test(pathname)) throw new SettingsError(`${name}: its path must be the number of a database, such as /0`)
  if (![username, password, pathname].every(decodes)) throw new SettingsError(`${name}: a % in its user, password or path must be written as %25`)
  return value
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function list(name: string, value: string, accepts: (entry: string) => boolean, what: string): string[] {
  if (value === '') return []
  const entries = value.split(',').map((entry) => entry.trim())
  const wrong = entries.findIndex((entry) => entry === '' || !accepts(entry))
  if (wrong !== -1) throw new SettingsError(`${name}: entry ${wrong + 1} must be ${what}`)
  return entries
}

function isNetwork(entry: string): boolean {
  const [address = '', prefix, ...rest] = entry.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
}

function isOrigin(entry: string): boolean {
  return entry === '*' || (URL.canParse(entry) && /^https?:/.test(entry) && new URL(entry).origin === entry)
}
