/**
 * The port to a payment provider. Every attempt has its own payment id, which is the provider's idempotency
 * key: charging, cancelling or refunding it twice is as good as once.
 */

import type { ProviderPayment } from '../outbox.js'

export type ChargeStatus = 'succeeded' | 'declined' | 'pending'

export interface PaymentProvider {
  readonly name: string
  /**
   * Takes the money.
   * @throws where the outcome is not known: the attempt stays pending, and `find` is asked later
   */
  charge(attempt: ProviderPayment, paymentToken: string): Promise<ChargeStatus>
  /**
   * @returns what became of an attempt; `never_taken` where the provider does not know it. That is final: a charge that
   *   comes to the provider later, under the same id, has to be refused by it
   */
  find(paymentId: string): Promise<ChargeStatus | 'never_taken'>
  /** Asks for a pending attempt to be given up. @returns `captured` where the money had been taken already */
  cancel(paymentId: string): Promise<'cancelled' | 'captured'>
  /** @returns every payment that it has taken and not given back, as far back as it remembers, in any order */
  taken(): AsyncIterable<ProviderPayment>
  /** Gives money back, whether or not this provider remembers having taken it. */
  refund(attempt: ProviderPayment, reason: string): Promise<void>
}
