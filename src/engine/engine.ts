/**
 * The engine: the typed face of lua/. One method an operation; expected refusals are values, faults are errors.
 */
import { type Backstage, createBackstage } from './backstage.js'
import { createCore, type EngineOptions } from './core.js'
import { createOperator, type Operator } from './operator.js'
import { createPayments, type Payments } from './payments.js'
import { createStorefront, type Storefront } from './storefront.js'

export interface Engine extends Storefront, Payments, Operator, Backstage {}

export function createEngine(options: EngineOptions): Engine {
  const core = createCore(options)
  return { ...createStorefront(core), ...createPayments(core), ...createOperator(core), ...createBackstage(core) }
}

export { type BatchedScript } from './core.js'
export { type AlikeCart } from './storefront.js'
export { connect, UnfitRedisError } from './connection.js'
export { openReplicas } from './replicas.js'
export { type DueAttempt } from './backstage.js'
