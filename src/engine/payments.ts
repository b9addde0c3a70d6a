/**
 * The two ends of a payment, begin and settle; the provider's call lies between them, outside of Redis.
 */
import type { Order } from '../contract.js'
import { formatId, newLocalId, parseId } from '../ids.js'
import { paymentKey, strayShard } from '../keys.js'
import type { ProviderPayment } from '../outbox.js'
import { isRefusal, type Refusal } from '../problems.js'
import { overloaded, shed } from './batch.js'
import type { Core } from './core.js'
import { decodeOrder } from './decode.js'

/** What begins a payment: a new attempt to charge, or an order that has been paid already. */
export type BegunPayment =
  | { readonly begun: true; readonly attempt: ProviderPayment }
  | { readonly begun: false; readonly order: Order }

/** How long it is known which order a payment counts for, in seconds: as long as a shard remembers a payment. */
const paymentKeptSeconds = 72 * 3_600

/** What the provider said of an attempt; `never_taken` makes the order payable again. */
export type PaymentOutcome = 'succeeded' | 'declined' | 'pending' | 'never_taken'

export interface Payments {
  /** Checks that the order is payable and its units still held, and makes a new attempt the one in progress. */
  beginPayment(orderId: string): Promise<BegunPayment | Refusal>
  /**
   * Records what the provider said of one attempt, whoever began it, in whatever state its order is. Money that finds
   * no goods is put down for its refund, once.
   * @returns the order as it is then; null where nobody here knows it, or where the payment counts for another one
   * @throws where it could not be recorded: the attempt stays open, and is asked about again
   */
  settlePayment(payment: ProviderPayment, outcome: PaymentOutcome): Promise<{ readonly order: Order | null }>
}

export function createPayments(core: Core): Payments {
  /** Money for an order of no sale that is known here. */
  async function recordStray({ paymentId, orderId, amount, currency }: ProviderPayment): Promise<void> {
    await core.assertWhole()
    const reply = await core.run('stray', strayShard, [paymentId, orderId, amount, currency])
    if (reply !== 'OK') throw new TypeError('a stray payment could not be put down')
  }

  /**
   * One payment counts for one order, of whatever sale. A shard remembers its own; whether an id from a provider's own page
   * was told of another sale's order only a key that all share can say. An id of ours names its sale itself.
   * @returns whether this order may have it
   */
  async function mayCountFor({ paymentId, orderId }: ProviderPayment): Promise<boolean> {
    const own = parseId('p', paymentId)
    if (own !== null) return own.saleId === parseId('o', orderId)?.saleId
    const standing = await core.redis().set(paymentKey(paymentId), orderId, 'EX', paymentKeptSeconds, 'NX', 'GET')
    return standing === null || standing === orderId
  }

  return {
    async beginPayment(orderId) {
      const id = parseId('o', orderId)
      const catalogue = id && (await core.catalogue(id.saleId))
      if (!catalogue) return id ? core.missing('order_not_found') : { refused: 'order_not_found' }
      const paymentId = formatId('p', id, id.epoch, newLocalId())
      const reply = await core.ask('begin', id, `${id.epoch} ${id.local} ${paymentId}`)
      if (reply === shed) return overloaded
      if (reply === null) return core.missing('order_not_found')
      const { words } = reply
      if (words.startsWith('OK ')) {
        return { begun: true, attempt: { paymentId, orderId, amount: Number(words.slice('OK '.length)), currency: catalogue.currency } }
      }
      const paid = decodeOrder(words, id, reply.epoch, catalogue)
      if (isRefusal(paid)) return paid
      // Whoever paid may have been told that the outcome is not known, since replicas were late.
      await core.replicated()
      return { begun: false, order: paid.order }
    },

    async settlePayment(payment, outcome) {
      if (outcome === 'succeeded' && !(await mayCountFor(payment))) return { order: null }
      const id = parseId('o', payment.orderId)
      const catalogue = id && (await core.catalogue(id.saleId))
      const reply = catalogue
        ? await core.ask('settle', id, `${id.epoch} ${id.local} ${payment.paymentId} ${outcome} ${payment.amount} ${payment.currency} ${payment.orderId}`)
        : null
      if (reply === shed) throw new Error('too many payments wait to be settled')
      if (reply === null || !id || !catalogue) {
        if (outcome === 'succeeded') await recordStray(payment)
        return { order: null }
      }
      if (reply.words === 'ORDER_NOT_FOUND') return { order: null }
      const decoded = decodeOrder(reply.words, id, reply.epoch, catalogue)
      if (isRefusal(decoded)) throw new Error(`a payment could not be settled: ${decoded.refused}`)
      return { order: decoded.order }
    },
  }
}

