/**
 * Persists a range of an outbox: everything is written in one transaction, refunds once they are made, and only after the
 * commit do the entries leave the outbox. Every step can be done twice.
 */
import type { Database, Persisted } from '../src/database.js'
import type { Engine } from '../src/engine/engine.js'
import { redactId } from '../src/ids.js'
import type { Shard } from '../src/keys.js'
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

/** Refunds that are asked of the provider at once. */
const refundsAtOnce = 16

type RefundEntry = Extract<OutboxEntry, { kind: 'refund' }>

/** @throws where something of the range must be tried again; the rest is persisted all the same */
export async function persist(deps: PersistDeps, job: PersistJob): Promise<void> {
  const entries = await deps.engine.entries(job, job.first, job.last, readBound)
  const refunds = entries.filter((entry) => entry.kind === 'refund')
  let again = entries.length === readBound ? 1 : 0

  // Whatever the provider does, it keeps no order out of Postgres.
  again += await write(deps, job, entries.filter((entry) => entry.kind !== 'refund'))
  for (let from = 0; from < refunds.length; from += refundsAtOnce) {
    const part = refunds.slice(from, from + refundsAtOnce)
    const made = await Promise.all(part.map((entry) => tryRefund(deps, entry)))
    again += made.filter((what) => what === 'again').length
    again += await write(deps, job, part.filter((_, i) => made[i] === 'made'))
    await deps.engine.acknowledge(job, part.filter((_, i) => made[i] === 'kept'), 'dropped')
  }
  if (again > 0) throw new Error(`${again} of ${entries.length} entries must be tried again`)
}

/** Writes entries to Postgres, and takes them out of the outbox. @returns how many must be tried again */
async function write({ engine, database, log }: PersistDeps, shard: Shard, entries: readonly OutboxEntry[]): Promise<number> {
  const outcomes = await database.persist(entries)
  outcomes.forEach((outcome, i) => {
    if (typeof outcome === 'string') return
    log.error(
      { saleId: shard.saleId, outboxId: entries[i]!.outboxId, sqlstate: outcome.poisoned, reason: outcome.reason },
      'an entry cannot be persisted: it is set apart in dead_orders',
    )
  })
  const came = (kind: (outcome: Persisted) => boolean) => entries.filter((_, i) => kind(outcomes[i]!))
  await engine.acknowledge(shard, came((outcome) => outcome === 'persisted'))
  await engine.acknowledge(shard, came((outcome) => typeof outcome !== 'string'), 'dead')
  return outcomes.filter((outcome) => outcome === 'retry').length
}

/** Gives money back. `kept`: it must not go, since it has paid an order, as Postgres remembers. */
async function tryRefund({ database, provider, log }: PersistDeps, { payment, reason }: RefundEntry): Promise<'made' | 'kept' | 'again'> {
  try {
    if ((await database.knownPayment(payment.paymentId)) === 'paid') return 'kept'
    await within(providerMs, provider.refund(payment, reason))
    return 'made'
  } catch (error) {
    log.error({ err: error, payment: redactId(payment.paymentId) }, 'a refund failed, and will be tried again')
    return 'again'
  }
}
