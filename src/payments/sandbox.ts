/**
 * The sandbox: a payment provider that needs nothing outside and moves no money. It keeps its charges in
 * Redis, where every process sees them, for seven days. The token says what becomes of a charge:
 * `tok_ok`, `tok_declined`, `tok_pending` (until an event decides), `tok_unreachable` (the call is cut
 * before it was taken); any other is declined.
 */
import type { Redis } from 'ioredis'
import { chargeKey, paymentOf, refundKey } from '../keys.js'
import type { ProviderPayment } from '../outbox.js'
import type { ChargeStatus, PaymentProvider } from './provider.js'

/** What a charge can have become. `never_taken` is kept once said, so that a call that arrives later cannot undo it. */
const recordedStatuses = ['succeeded', 'declined', 'pending', 'cancelled', 'never_taken'] as const
type RecordedStatus = (typeof recordedStatuses)[number]

/** Keys that one step of a scan looks at. */
const scanCount = 1_000
const keptSeconds = 7 * 24 * 3_600
const statusOfToken: ReadonlyMap<string, ChargeStatus> = new Map([['tok_ok', 'succeeded'], ['tok_declined', 'declined'], ['tok_pending', 'pending']])

/** @returns what became of a charge: the first word of its text. Its order, amount and currency follow, once it was made. */
function statusOf(charge: string): RecordedStatus {
  const word = charge.split(' ', 1)[0]
  const status = recordedStatuses.find((candidate) => candidate === word)
  if (status === undefined) throw new Error('the sandbox holds a charge that it does not understand')
  return status
}

/**
 * @param usable a client that never sends a command twice by itself; throws while Redis is away
 * @param options.warn where a start in production is told that no money moves
 */
export function createSandbox(usable: () => Redis, options: { production: boolean; warn: (message: string) => void }): PaymentProvider {
  if (options.production) options.warn('PAYMENTS ARE IN THE SANDBOX: orders are paid without any money. Configure a real provider.')

  /** Keeps what became of a charge, unless that is known already. @returns what is known then */
  async function record(paymentId: string, status: RecordedStatus, ...about: readonly (string | number)[]): Promise<RecordedStatus> {
    const standing = await usable().set(chargeKey(paymentId), [status, ...about].join(' '), 'EX', keptSeconds, 'NX', 'GET')
    return standing === null ? status : statusOf(standing)
  }

  return {
    name: 'sandbox',

    async charge({ paymentId, orderId, amount, currency }: ProviderPayment, paymentToken: string) {
      if (paymentToken === 'tok_unreachable') throw new Error('the sandbox cut the call before it took the charge')
      const standing = await record(paymentId, statusOfToken.get(paymentToken) ?? 'declined', orderId, amount, currency)
      // Given up before the charge came: nothing was taken, and nothing will be.
      return standing === 'cancelled' || standing === 'never_taken' ? 'declined' : standing
    },

    async find(paymentId) {
      const standing = await record(paymentId, 'never_taken')
      // As long as somebody asks, somebody waits.
      if (standing === 'pending') await usable().expire(chargeKey(paymentId), keptSeconds)
      return standing === 'cancelled' ? 'declined' : standing
    },

    async cancel(paymentId) {
      const standing = await record(paymentId, 'cancelled')
      if (standing === 'succeeded') return 'captured'
      // Nothing here turns a pending charge into a success, so no other call can come between read and write.
      if (standing === 'pending') await usable().set(chargeKey(paymentId), 'cancelled', 'KEEPTTL', 'XX')
      return 'cancelled'
    },

    async *taken() {
      for await (const keys of usable().scanStream({ match: chargeKey('*'), count: scanCount }) as AsyncIterable<string[]>) {
        if (keys.length === 0) continue
        const paymentIds = keys.map(paymentOf)
        const [charges, refunds] = await Promise.all([usable().mget(keys), usable().mget(paymentIds.map(refundKey))])
        for (const [i, paymentId] of paymentIds.entries()) {
          const [status, orderId = '', amount, currency = ''] = charges[i]?.split(' ') ?? []
          if (status === 'succeeded' && refunds[i] === null) yield { paymentId, orderId, amount: Number(amount), currency }
        }
      }
    },

    async refund({ paymentId, amount, currency }, reason) {
      await usable().set(refundKey(paymentId), `${amount} ${currency} ${reason}`, 'EX', keptSeconds)
    },
  }
}
