/**
 * The scripts of lua/: read once, sent by their digest. What several operations share is put before each.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { type Shard, shardKeyNames, shardKeys } from '../keys.js'

export const scriptNames = [
  'hold', 'remove', 'read', 'checkout', 'begin', 'settle', 'cancel', // customers
  'publish', 'control', 'adjust', 'audit', // operators
  'sweep', 'due', 'claim', 'acknowledge', 'close', 'stray', // workers
] as const
export type ScriptName = (typeof scriptNames)[number]

export interface Script {
  readonly source: string
  /** SHA-1 of the source, as Redis names it. */
  readonly digest: string
}

const folder = new URL('../../lua/', import.meta.url)
const shared = ['shard.lua', 'orders.lua']
/** What only some operations share. */
const alsoShared: Partial<Record<ScriptName, readonly string[]>> = { hold: ['lines.lua'], remove: ['lines.lua'] }

/** @returns a script as Redis gets it; its `#!lua` line comes first, with flags where the operation has any */
function assemble(name: ScriptName): Script {
  const read = (file: string) => readFileSync(new URL(file, folder), 'utf8')
  const operation = read(`${name}.lua`)
  const [shebang, body] = operation.startsWith('#!')
    ? [operation.slice(0, operation.indexOf('\n')), operation.slice(operation.indexOf('\n') + 1)]
    : ['#!lua', operation]
  const source = [shebang, ...[...shared, ...(alsoShared[name] ?? [])].map(read), body].join('\n')
  return { source, digest: createHash('sha1').update(source).digest('hex') }
}

export const scripts: Readonly<Record<ScriptName, Script>> = Object.fromEntries(
  scriptNames.map((name) => [name, assemble(name)]),
) as Record<ScriptName, Script>

/** Loads every script, so that none has to be sent whole on the way of a request. */
export async function loadScripts(redis: Redis): Promise<void> {
  await Promise.all(scriptNames.map((name) => redis.script('LOAD', scripts[name].source)))
}

/**
 * Runs a script on one shard, once: a reply that was cut is an error, never a second run.
 * @returns the script's reply: words, or a list of them
 */
export async function runScript(
  redis: Redis,
  name: ScriptName,
  shard: Shard,
  args: readonly (string | number)[],
): Promise<unknown> {
  const { source, digest } = scripts[name]
  const keys = shardKeys(shard)
  try {
    return await redis.evalsha(digest, shardKeyNames.length, ...keys, ...args)
  } catch (error) {
    // Refused before it ran, so it is safe to send again.
    if (error instanceof Error && error.message.startsWith('NOSCRIPT')) {
      return redis.eval(source, shardKeyNames.length, ...keys, ...args)
    }
    throw error
  }
}
