/**
 * Persists a range of an outbox: refunds are made, everything is written in one transaction, and only after the commit
 * do the entries leave the outbox. Every step can be done twice.
 */
import type { Database } from '../src/database.js'
import type { Engine } from '../src/engine/engine.js'
import { redactId } from '../src/ids.js'
import type { Logger } from '../src/log.js'
import type { OutboxEntry, PersistJob } from '../src/outbox.js'
import type { PaymentProvider } from '../src/payments/provider.js'
import { within } from '../src/within.js'
import { providerMs } from './attempts.js'
import { jobBound } from './relay.js'

export interface PersistDeps {
  readonly engine: Engine
  readonly database: Database
  readonly provider: PaymentProvider
  readonly log: Logger
}

/** Most entries that one job reads: a range handed out again may enclose what others carry. */
const readBound = 2 * jobBound

type RefundEntry = Extract<OutboxEntry, { kind: 'refund' }>

/** @throws where something of the range must be tried again; the rest is persisted all the same */
export async function persist(deps: PersistDeps, { saleId, shard, first, last }: PersistJob): Promise<void> {
  const { engine, database, log } = deps
  const where = { saleId, shard }
  const entries = await engine.entries(where, first, last, readBound)
  const toWrite: OutboxEntry[] = []
  const done: OutboxEntry[] = []
  let again = entries.length === readBound ? 1 : 0

  for (const entry of entries) {
    if (entry.kind !== 'refund') {
      toWrite.push(entry)
      continue
    }
    try {
      if (await refund(deps, entry)) toWrite.push(entry)
      else done.push(entry)
    } catch (error) {
      again += 1
      log.error({ err: error, payment: redactId(entry.payment.paymentId) }, 'a refund failed, and will be tried again')
    }
  }

  const outcomes = await database.persist(toWrite)
  outcomes.forEach((outcome, i) => {
    const entry = toWrite[i]!
    if (outcome === 'retry') {
      again += 1
      return
    }
    if (outcome !== 'persisted') {
      log.error({ saleId, outboxId: entry.outboxId, sqlstate: outcome.poisoned, reason: outcome.reason }, 'an entry cannot be persisted: it is set apart in dead_orders')
    }
    done.push(entry)
  })
  await engine.acknowledge(where, done)
  if (again > 0) throw new Error(`${again} of ${entries.length} entries must be tried again`)
}

/** Gives money back. @returns false where it must not go: it has paid an order, as Postgres remembers */
async function refund({ database, provider }: PersistDeps, { payment, reason }: RefundEntry): Promise<boolean> {
  if ((await database.knownPayment(payment.paymentId)) === 'paid') return false
  await within(providerMs, provider.refund(payment, reason))
  return true
}
