/** Every script, asked for something that it does, in a state in which it comes to the keys that it works with. */
import type { Redis } from 'ioredis'
import type { Engine } from '../../src/engine/engine.js'
import type { ScriptName } from '../../src/engine/scripts.js'
import { newLocalId } from '../../src/ids.js'
import type { ShardKeyName } from '../../src/keys.js'
import { at, customerJson, openScene, type Scene } from './scene.js'

type Words = readonly (string | number)[]

interface Call {
  /** Keys that it reads or writes there. */
  readonly keys: readonly ShardKeyName[]
  /** Brings the scene into that state. @returns what the script is given */
  prepare(scene: Scene, redis: Redis): Promise<Words>
}

/** Gives back what lapses in every kind: a cart, an order, a payment that was pending too long. */
const reclaims = ['policy', 'stock', 'carts', 'orders', 'deadlines', 'retention'] as const

/** Something of each kind lapses at ten minutes past noon, and it is that late when `prepare` is done. */
function whileOthersLapse(prepare: Call['prepare']): Call['prepare'] {
  return async (scene, redis) => {
    await scene.cart('A=1')
    await scene.order('A=1')
    await scene.pending('lapsed', 'A=1')
    await scene.time(300)
    const words = await prepare(scene, redis)
    await scene.time(600)
    return words
  }
}

export const calls: Readonly<Record<ScriptName, Call>> = {
  hold: {
    keys: ['policy', 'stock', 'carts', 'idempotency', 'deadlines', 'retention'],
    // Where nothing lapses, the carts and what is kept are written and never read.
    prepare: async () => [1, newLocalId(), 'C key print A=1', 1],
  },
  remove: { keys: reclaims, prepare: whileOthersLapse(async (scene) => [`1 ${await scene.cart('A=1')}`]) },
  read: {
    keys: ['policy', 'stock', 'carts', 'orders', 'deadlines'],
    prepare: whileOthersLapse(async (scene) => ['A', `C 1 ${await scene.cart('A=1')}`, `O 1 ${await scene.order('A=1')}`]),
  },
  checkout: { keys: reclaims, prepare: whileOthersLapse(async (scene) => [`1 ${await scene.cart('A=1')} ${customerJson}`]) },
  begin: { keys: [...reclaims, 'attempts'], prepare: whileOthersLapse(async (scene) => [`1 ${await scene.order('A=1')} p1`]) },
  settle: {
    keys: [...reclaims, 'idempotency', 'attempts', 'outbox'],
    prepare: whileOthersLapse(async (scene) => [scene.settlement(await scene.pending('p1', 'A=1'), 'p1', 'succeeded')]),
  },
  cancel: { keys: reclaims, prepare: whileOthersLapse(async (scene) => [`1 ${await scene.order('A=1')}`]) },
  publish: {
    // Where another of its keys holds anything at all, it is refused.
    keys: ['policy'],
    async prepare(_, redis) {
      await redis.flushdb()
      return ['-', '-', 'cart', 600_000, 1_800_000, 600_000, 900_000, 'USD', '{}', '1 0 0-0 0 adj', 'A', 10, 0, 2_500, 0]
    },
  },
  control: { keys: ['policy'], prepare: async () => ['pause'] },
  adjust: { keys: [...reclaims, 'idempotency', 'outbox'], prepare: whileOthersLapse(async () => ['adj', 'A', -1]) },
  audit: {
    keys: ['policy', 'stock', 'carts', 'orders', 'deadlines', 'outbox'],
    prepare: whileOthersLapse(async (scene) => (await scene.paid('p1', 'A=1'), [100])),
  },
  sweep: {
    keys: [...reclaims, 'idempotency'],
    prepare: whileOthersLapse(async (scene, redis) => {
      await redis.hset(scene.key('idempotency'), 'c:old', `print cart ${at(600)}`)
      await redis.zadd(scene.key('retention'), at(600), 'i:c:old')
      return []
    }),
  },
  due: { keys: ['policy', 'stock', 'orders', 'deadlines', 'retention', 'attempts'], prepare: whileOthersLapse(async () => [10]) },
  claim: { keys: ['policy', 'outbox'], prepare: async (scene) => (await scene.paid('p1', 'A=1'), ['postgres', 'relay', 10, 100]) },
  acknowledge: {
    keys: ['policy', 'orders', 'retention', 'outbox'],
    async prepare(scene, redis) {
      const order = await scene.paid('p1', 'A=1')
      const [[id] = ['']] = await redis.xrange(scene.key('outbox'), '-', '+')
      return ['postgres', id, 'paid', order]
    },
  },
  close: { keys: ['policy', 'deadlines', 'attempts', 'outbox'], prepare: async (scene) => (await scene.run('control', 'end'), []) },
  stray: { keys: ['policy', 'idempotency', 'retention', 'outbox'], prepare: async () => ['p1', 'o.unknown', 700, 'USD'] },
}

/** @returns a scene of its own, and what its script is to be given */
export async function prepareCall(engine: Engine, redis: Redis, script: ScriptName): Promise<{ scene: Scene; words: Words }> {
  const scene = await openScene(engine, redis, { items: { A: 10 }, pendingSeconds: 600 })
  return { scene, words: await calls[script].prepare(scene, redis) }
}
