/**
 * One attempt to take the money of an order. The order is `payment_pending` from before the provider is called
 * until its answer is recorded; whatever cuts this way leaves it so, and a worker asks the provider.
 */
import type { FastifyBaseLogger } from 'fastify'
import type { Order } from '../contract.js'
import type { Engine } from '../engine/engine.js'
import { redactId } from '../ids.js'
import type { ProviderPayment } from '../outbox.js'
import type { ChargeStatus, PaymentProvider } from '../payments/provider.js'
import type { Refusal } from '../problems.js'
import { within } from '../within.js'

/** How long a customer waits for the provider, in ms; then the outcome is not known. */
const chargeMs = 3_000
/** By when a worker has asked for the outcome, in seconds. */
const outcomeKnownSeconds = 5

/** @returns the order paid or still pending, or why it is neither */
export async function chargeOrder(
  attempt: ProviderPayment,
  paymentToken: string,
  engine: Engine,
  provider: PaymentProvider,
  log: FastifyBaseLogger,
): Promise<Order | Refusal> {
  const charge = provider.charge(attempt, paymentToken)
  let status: ChargeStatus
  try {
    status = await within(chargeMs, charge)
  } catch (error) {
    // Nobody waits any more; but money that is taken late is not forgotten, whatever a worker has heard meanwhile.
    charge.then((late) => engine.settlePayment(attempt, late)).catch((err: unknown) => {
      if (err !== error) log.warn({ err, payment: redactId(attempt.paymentId) }, 'a late answer of the provider could not be recorded')
    })
    log.warn({ err: error, provider: provider.name, payment: redactId(attempt.paymentId) }, 'the outcome of a charge is not known')
    return { refused: 'unavailable', retryAfterSeconds: outcomeKnownSeconds }
  }
  const { order } = await engine.settlePayment(attempt, status)
  if (order === null) throw new Error('an order vanished while its payment was in progress')
  return answer(order, status)
}

/**
 * An event, or the end of the pending time, may have come before the provider's answer did: what the order has
 * become says more than what the provider said.
 */
function answer(order: Order, status: ChargeStatus): Order | Refusal {
  switch (order.status) {
    case 'paid':
      return order
    case 'payment_pending':
      return status === 'declined' ? { refused: 'payment_declined' } : order
    case 'awaiting_payment':
      // Another outcome than a refusal would have moved the order on, unless an earlier event had declined it.
      return { refused: 'payment_declined' }
    case 'cancelled':
      return { refused: 'order_cancelled' }
    case 'expired':
    case 'refund_due':
    case 'refunded':
      return { refused: 'order_expired' }
  }
}
