/**
 * What every part of the engine stands on: batched requests, sales' catalogues, and the difference between a sale that
 * does not exist and a Redis that has lost it.
 */
import type { Redis } from 'ioredis'
import { markerKey, type Shard, shardKey } from '../keys.js'
import type { ProblemCode, Refusal } from '../problems.js'
import { type Batcher, createBatcher, type Reply } from './batch.js'
import { type Catalogue, createCatalogues } from './catalogue.js'
import type { Connection } from './connection.js'
import { runHolds } from './hold-call.js'
import { createReplicas, type ReplicaOptions } from './replicas.js'
import { runScript, type ScriptName } from './scripts.js'

/** The scripts that take a batch of requests. */
export type BatchedScript = 'hold' | 'remove' | 'read' | 'checkout' | 'begin' | 'settle' | 'cancel'

export interface EngineOptions {
  readonly connection: Connection
  /** Where a payment is acknowledged only once replicas have it. */
  readonly replicas?: ReplicaOptions | null
  /** Whether Postgres knows of no sale at all: then an empty Redis has lost nothing. */
  readonly nothingPublished: () => Promise<boolean>
  /** Is told the size of every batched call. */
  readonly onBatch?: (script: BatchedScript, size: number) => void
}

export interface Core {
  /** @returns the connection @throws where Redis cannot be used */
  redis(): Redis
  /** Sends one request with the others of this turn. */
  ask(script: BatchedScript, shard: Shard, request: string): Promise<Reply>
  run(script: ScriptName, shard: Shard, args?: readonly (string | number)[]): Promise<unknown>
  /** @returns what never changes about a sale, or null where Redis has no such sale */
  catalogue(saleId: string): Promise<Catalogue | null>
  known(saleId: string): Catalogue | undefined
  /** @returns the refusal for a sale that does not exist @throws where Redis has lost its sales */
  missing(code: Extract<ProblemCode, `${string}_not_found`>): Promise<Refusal>
  /** @throws where Redis has lost its sales: another one must not make it look whole */
  assertWhole(): Promise<void>
  /** @throws where fewer replicas than are asked for have everything that was written until now */
  replicated(): Promise<void>
}

/** How long the answer that Redis has lost its data is believed before Postgres is asked again. */
const lostForMs = 1_000

/** The one shard of a sale. */
export const shardOf = (saleId: string): Shard => ({ saleId, shard: 0 })

export function createCore({ connection, replicas: asked, nothingPublished, onBatch }: EngineOptions): Core {
  const replicas = asked ? createReplicas(asked) : null
  const batchers = new Map<BatchedScript, Map<string, Batcher>>()
  const redis = () => connection.usable()
  const run: Core['run'] = (script, shard, args = []) => runScript(redis(), script, shard, args)

  function send(script: BatchedScript, shard: Shard, requests: readonly string[]): Promise<unknown> {
    if (script === 'hold') return runHolds(redis(), shard, requests)
    if (script === 'settle' && replicas !== null) return replicas.run(script, shard, requests)
    return run(script, shard, requests)
  }

  function batcher(script: BatchedScript, shard: Shard): Batcher {
    let its = batchers.get(script)
    if (its === undefined) batchers.set(script, (its = new Map()))
    const { saleId } = shard
    let known = its.get(saleId)
    if (known === undefined) {
      const all = its
      known = createBatcher({
        send: (requests) => send(script, shard, requests),
        onBatch: (size) => onBatch?.(script, size),
        // A read changes nothing: those that ask the same share one answer. And it gives nothing back itself, so it would
        // count the same lapsed holds for ever.
        ...(script === 'read' ? { collapse: true, beforeAgain: () => run('sweep', shard) } : {}),
        // Only those in use are kept: nobody fills this process with the names of sales that do not exist.
        onIdle: () => all.delete(saleId),
      })
      its.set(saleId, known)
    }
    return known
  }

  const catalogues = createCatalogues((saleId) => redis().hget(shardKey(shardOf(saleId), 'policy'), 'catalogue'))

  let lostUntilMs = 0
  let verdict: Promise<boolean> | undefined

  /** Asks Postgres, once for all who wait, whether there is anything that Redis could have lost. */
  async function hasLostNothing(): Promise<boolean> {
    if ((await redis().exists(markerKey)) === 1) return true
    if (Date.now() < lostUntilMs) return false
    verdict ??= nothingPublished().finally(() => {
      verdict = undefined
    })
    if (await verdict) {
      await redis().set(markerKey, '1')
      return true
    }
    lostUntilMs = Date.now() + lostForMs
    return false
  }

  async function assertWhole(): Promise<void> {
    if (!(await hasLostNothing())) throw new Error('Redis does not have the sales that Postgres knows of')
  }

  return {
    redis,
    ask: (script, shard, request) => batcher(script, shard).submit(request),
    run,
    known: catalogues.known,
    catalogue: async (saleId) => catalogues.known(saleId) ?? catalogues.load(saleId),
    async missing(code) {
      await assertWhole()
      return { refused: code }
    },
    assertWhole,
    replicated: async () => replicas?.haveAll(),
  }
}
