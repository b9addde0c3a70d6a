/**
 * The sandbox: a payment provider that needs nothing outside and moves no money. It keeps its charges in
 * Redis, where every process sees them, for seven days. The token says what becomes of a charge:
 * `tok_ok`, `tok_declined`, `tok_pending` (until an event decides), `tok_unreachable` (the call is cut
 * before it was taken); any other is declined.
 */
import type { Redis } from 'ioredis'
import { paymentOf, sandboxKey } from '../keys.js'
import type { ProviderPayment } from '../outbox.js'
import type { ChargeStatus, PaymentProvider } from './provider.js'

/** What a charge can have become. `never_taken` is kept once said, so that a call that arrives later cannot undo it. */
const recordedStatuses = ['succeeded', 'declined', 'pending', 'cancelled', 'never_taken'] as const
type RecordedStatus = (typeof recordedStatuses)[number]

/** Keys that one step of a scan looks at. */
const scanCount = 1_000
const keptSeconds = 7 * 24 * 3_600
const statusOfToken: ReadonlyMap<string, ChargeStatus> = new Map([['tok_ok', 'succeeded'], ['tok_declined', 'declined'], ['tok_pending', 'pending']])

/** Keeps a charge with its fields; a status that stands already stays. Returns the one that stands. */
const recordOnce = `#!lua
local standing = redis.call('HGET', KEYS[1], 'status')
if not standing then
  redis.call('HSET', KEYS[1], 'status', unpack(ARGV, 2))
elseif #ARGV > 2 then
  redis.call('HSET', KEYS[1], unpack(ARGV, 3))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return standing or ARGV[2]`

/**
 * @param usable a client that never sends a command twice by itself; throws while Redis is away
 * @param options.warn where a start in production is told that no money moves
 */
export function createSandbox(usable: () => Redis, options: { production: boolean; warn: (message: string) => void }): PaymentProvider {
  if (options.production) options.warn('PAYMENTS ARE IN THE SANDBOX: orders are paid without any money. Configure a real provider.')

  /** Writes a status unless there is one. @returns the one that stands */
  async function record(paymentId: string, status: RecordedStatus, about: Record<string, string | number> = {}): Promise<RecordedStatus> {
    const standing = await usable().eval(recordOnce, 1, sandboxKey(paymentId), keptSeconds, status, ...Object.entries(about).flat())
    const known = recordedStatuses.find((candidate) => candidate === standing)
    if (known === undefined) throw new Error('the sandbox holds a charge that it does not understand')
    return known
  }

  return {
    name: 'sandbox',

    async charge({ paymentId, orderId, amount, currency }: ProviderPayment, paymentToken: string) {
      if (paymentToken === 'tok_unreachable') throw new Error('the sandbox cut the call before it took the charge')
      const standing = await record(paymentId, statusOfToken.get(paymentToken) ?? 'declined', { orderId, amount, currency })
      // Given up before the charge came: nothing was taken, and nothing will be.
      return standing === 'cancelled' || standing === 'never_taken' ? 'declined' : standing
    },

    async find(paymentId) {
      const standing = await record(paymentId, 'never_taken')
      return standing === 'cancelled' ? 'declined' : standing
    },

    async cancel(paymentId) {
      const standing = await record(paymentId, 'cancelled')
      if (standing === 'succeeded') return 'captured'
      // Nothing here turns a pending charge into a success, so no other call can come between read and write.
      if (standing === 'pending') await usable().hset(sandboxKey(paymentId), 'status', 'cancelled')
      return 'cancelled'
    },

    async *taken() {
      for await (const keys of usable().scanStream({ match: sandboxKey('*'), count: scanCount }) as AsyncIterable<string[]>) {
        const redis = usable()
        const charges = await Promise.all(keys.map(async (key) => [key, await redis.hgetall(key)] as const))
        for (const [key, { status, orderId, amount, currency, refunded }] of charges) {
          if (status !== 'succeeded' || orderId === undefined || refunded !== undefined) continue
          yield { paymentId: paymentOf(key), orderId, amount: Number(amount), currency: currency! }
        }
      }
    },

    async refund({ paymentId, amount, currency }, reason) {
      const key = sandboxKey(paymentId)
      await usable().multi().hset(key, { refunded: `${amount} ${currency}`, reason }).expire(key, keptSeconds).exec()
    },
  }
}
