/** Troubles of a Redis that still answers: each begins, and ends, at a test's word. */
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import type { ScriptName } from '../../src/engine/scripts.js'
import { portOf } from './forwarder.js'
import { until } from './processes.js'
import { type OwnRedis, ownRedis } from './servers.js'

/** The scripts that write nothing: a customer still sees the shop, and an operator its audit, where nothing can be written. */
export const readers: readonly ScriptName[] = ['read', 'audit']

export interface Trouble {
  readonly name: string
  /** What Redis says to whoever asks for more than it gives. */
  readonly refusal: RegExp
  /** Whether what writes nothing is still served. */
  readonly serves: 'reads' | 'nothing'
  /** Resolves once everybody meets it. */
  begin(): Promise<void>
  /** Resolves once nobody does any more. */
  end(): Promise<void>
}

/** @returns a Redis, and what it can be brought into */
export async function troubledRedis(t: Test): Promise<{ own: OwnRedis; troubles: readonly Trouble[] }> {
  const own = await ownRedis(t)
  await own.start()
  const watcher = new Redis(own.url)
  t.teardown(() => watcher.disconnect())
  return { own, troubles: [await busy(t, own, watcher), await replica(t, own, watcher), tooFewReplicas(own)] }
}

/** Somebody else's script does not come to its end. */
async function busy(t: Test, own: OwnRedis, watcher: Redis): Promise<Trouble> {
  await own.set('busy-reply-threshold', '1')
  let running: Promise<unknown> | null = null
  let client: Redis | null = null
  const kill = async () => {
    if (running === null) return
    await watcher.script('KILL')
    await running
    client?.disconnect()
    running = null
  }
  t.teardown(kill)
  return {
    name: 'busy with a script of somebody else',
    refusal: /^BUSY /,
    serves: 'nothing',
    async begin() {
      client = new Redis(own.url)
      running = client.eval('while true do end', 0).catch((error: Error) => error)
      await until('Redis is busy', () => watcher.ping().then(() => false, (error: Error) => error.message.startsWith('BUSY')))
    },
    end: kill,
  }
}

/** A failover has made it the replica of another, and whoever writes to it still does. */
async function replica(t: Test, own: OwnRedis, watcher: Redis): Promise<Trouble> {
  const other = await ownRedis(t)
  await other.start()
  for (const server of [own, other]) await server.set('repl-diskless-sync-delay', '0')
  const next = new Redis(other.url)
  t.teardown(() => next.disconnect())
  const follow = async (follower: Redis, leader: OwnRedis) => {
    await follower.replicaof('127.0.0.1', portOf(leader.url, 6379))
    await until('the replica has caught up', async () => (await follower.info('replication')).includes('master_link_status:up'))
  }
  return {
    name: 'a replica that cannot be written to',
    refusal: /^READONLY /,
    serves: 'reads',
    async begin() {
      await follow(next, own)
      await next.replicaof('NO', 'ONE')
      await follow(watcher, other)
    },
    end: async () => void (await watcher.replicaof('NO', 'ONE')),
  }
}

/** An operator has said that nothing may be written which no replica takes, and none is there. */
function tooFewReplicas(own: OwnRedis): Trouble {
  return {
    name: 'short of replicas',
    refusal: /^NOREPLICAS /,
    serves: 'reads',
    begin: () => own.set('min-replicas-to-write', '1'),
    end: () => own.set('min-replicas-to-write', '0'),
  }
}
