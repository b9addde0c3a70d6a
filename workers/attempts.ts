/**
 * Payment attempts of unknown outcome: the provider is asked until it is known. Near the end of the pending time it is
 * asked to give the attempt up, so that the units go to somebody who pays.
 */
import type { DueAttempt, Engine } from '../src/engine/engine.js'
import { redactId } from '../src/ids.js'
import type { Shard } from '../src/keys.js'
import type { Logger } from '../src/log.js'
import type { PaymentProvider } from '../src/payments/provider.js'
import { within } from '../src/within.js'

/** How long the provider may take to answer a worker, in milliseconds; then it is asked again later. */
export const providerMs = 5_000
/** Most attempts that one process asks about at once. */
const askBound = 128

/** Questions that this process has asked and that are not answered yet. */
let asking = 0

/**
 * Asks about the attempts of one shard whose time has come.
 * @returns how many there were, and when all of them are answered: a provider that hangs on one must not keep others waiting
 */
export async function askAboutAttempts(
  engine: Engine,
  provider: PaymentProvider,
  log: Logger,
  shard: Shard,
): Promise<{ count: number; answered: Promise<unknown> }> {
  if (asking >= askBound) return { count: 0, answered: Promise.resolve() }
  const due = await engine.dueAttempts(shard, askBound - asking)
  asking += due.length
  const answered = Promise.all(due.map(async (one) => {
    try {
      await ask(engine, provider, one)
    } catch (error) {
      // Its next turn has been set already.
      log.warn({ err: error, payment: redactId(one.attempt.paymentId) }, 'a payment’s outcome is still not known')
    } finally {
      asking -= 1
    }
  }))
  return { count: due.length, answered }
}

async function ask(engine: Engine, provider: PaymentProvider, { attempt, ask: question }: DueAttempt): Promise<void> {
  if (question === 'cancel') {
    const said = await within(providerMs, provider.cancel(attempt.paymentId))
    await engine.settlePayment(attempt, said === 'captured' ? 'succeeded' : 'declined')
    return
  }
  const said = await within(providerMs, provider.find(attempt.paymentId))
  if (said !== 'pending') await engine.settlePayment(attempt, said)
}
