/**
 * Payments that are acknowledged only once replicas have them. A replica that is promoted without a payment would lose it,
 * and with it the one thing that a customer must never lose.
 */
import { replicatedKey, type Shard, shardKeyNames, shardKeys } from '../keys.js'
import { connect, type Connection, type ConnectionOptions } from './connection.js'
import { type ScriptName, scripts } from './scripts.js'

/** How long replicas may take, in ms; a command's own bound is longer. */
const replicasMs = 500

/** How many replicas must have a payment, and a connection of its own to wait on. */
export interface ReplicaOptions {
  readonly count: number
  readonly connection: Connection
}

/** @returns null where none is asked for */
export function openReplicas(count: number, options: ConnectionOptions): ReplicaOptions | null {
  return count > 0 ? { count, connection: connect(options) } : null
}

export interface Replicas {
  /** Runs a script. @throws where fewer replicas than asked for have what it wrote: whether they will is not known */
  run(script: ScriptName, shard: Shard, args: readonly (string | number)[]): Promise<unknown>
  /** @throws where fewer replicas than asked for have everything that was written until now */
  haveAll(): Promise<void>
}

/** The connection is no other's: whoever waits for replicas keeps those that come after on it waiting as well. */
export function createReplicas({ connection, count }: ReplicaOptions): Replicas {
  /** Sends commands and then waits, in one go. @returns the replies of the commands */
  async function acknowledged(commands: readonly (readonly [string, ...(string | number)[]])[]): Promise<unknown[]> {
    const redis = connection.usable()
    const pipeline = redis.pipeline()
    // Where nothing else is written, there is still something to wait for: what came before it on any connection.
    pipeline.set(replicatedKey, '1')
    for (const [name, ...args] of commands) pipeline.call(name, ...args)
    if (connection.syncsReplicas()) pipeline.call('WAITAOF', 0, count, replicasMs)
    else pipeline.wait(count, replicasMs)
    const replies = (await pipeline.exec()) ?? []
    // Whether the first could be written is told by the wait: on a Redis that is full only what frees memory is.
    for (const [error] of replies.slice(1)) if (error) throw error
    const last = replies.at(-1)?.[1]
    const reached = Number(Array.isArray(last) ? last[1] : last)
    if (!(reached >= count)) throw new Error(`${reached} of ${count} replicas have what was written`)
    return replies.slice(1, -1).map(([, reply]) => reply)
  }

  return {
    async run(script, shard, args) {
      const { source, digest } = scripts[script]
      const rest = [shardKeyNames.length, ...shardKeys(shard), ...args] as const
      try {
        return (await acknowledged([['EVALSHA', digest, ...rest]]))[0]
      } catch (error) {
        // Refused before it ran, so it is safe to send again.
        if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return (await acknowledged([['EVAL', source, ...rest]]))[0]
        throw error
      }
    },
    async haveAll() {
      await acknowledged([])
    },
  }
}
