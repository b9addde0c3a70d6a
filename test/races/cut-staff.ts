/** What an operator asks, and the turns of a worker; and what must have come of it, once. */
import type { Adjustment, Order } from '../../src/contract.js'
import { jobBound, outstandingBound } from '../../workers/relay.js'
import { refused } from '../contract/refused.js'
import { newId } from '../contract/shop.js'
import { runOn } from '../postgres.js'
import { counters } from '../redis.js'
import { persisted } from './accounts.js'
import { calling, turning } from './cut-callers.js'
import { askAgainSeconds, type Book, type CutShop } from './cut-shop.js'

/** Longer than the sale of `sweep` holds its carts, in seconds. */
const lapseSeconds = 61

/** @returns by script, what makes the one caller that runs it */
export function staffOf(shop: CutShop, book: Book, briefSaleId: string) {
  const { t, dice, redis, databaseUrl, worker, operator } = shop
  const { saleId, units } = book

  const adjustment = (sku: string, body: object, key: string) =>
    operator<Adjustment>('POST', `/items/${sku}/adjustments`, body, { 'idempotency-key': key })

  return {
    async publish() {
      const sku = newId('sku')
      await shop.putItem(sku, 12)
      const sale = { saleId: newId('sale'), name: 'Monday', items: [{ sku, allocation: 10 }] }
      const publishing = calling(t, () => shop.askToPublish(sale), {
        good: 201, already: [409],
        async done() {
          t.match(await shop.item(sale.saleId, sku), { stock: { quantity: 10, available: 10, inCarts: 0 } })
          refused(t, await shop.askToPublish(sale), 'sale_exists')
          refused(t, await shop.askToPublish({ ...sale, saleId: newId('sale') }), 'over_allocated')
          t.match(await runOn(databaseUrl, 'select published_at from sales where sale_id = $1', [sale.saleId]), [{ published_at: Date }])
        },
      })
      if (dice.chance(50)) return publishing
      // A worker takes over from whoever is not answered, some seconds later.
      let asked = false
      const resuming = turning(async () => {
        await runOn(databaseUrl, `update sales set created_at = created_at - interval '1 minute' where sale_id = $1`, [sale.saleId])
        await worker.resume()
      }, publishing.done)
      return {
        ...publishing,
        async ask() {
          if (asked && !(await resuming.ask())) return false
          asked = true
          return publishing.ask()
        },
      }
    },

    async control() {
      const ownId = await shop.publish()
      const [action, status] = dice.pick([['pause', 'paused'], ['resume', 'open'], ['end', 'ended']] as const)
      if (action === 'resume') await shop.control(ownId, 'pause')
      return calling(t, () => operator('POST', `/sales/${ownId}/${action}`), {
        good: 200, already: [409],
        async done() {
          const { status: stands, endsAt } = await shop.sale(ownId)
          t.equal(stands, status)
          const [row] = await runOn<{ paused: boolean; ends_at: Date | null }>(databaseUrl, 'select paused, ends_at from sales where sale_id = $1', [ownId])
          t.strictSame({ paused: row!.paused, endsAt: row!.ends_at?.toISOString() ?? null }, { paused: status === 'paused', endsAt }, 'Postgres knows of it')
        },
      })
    },

    async adjust() {
      const sku = dice.pick(book.skus)
      const [key, delta] = [newId('key'), dice.pick([7, 2, -1, -3])]
      const ask = () => adjustment(sku, { delta, reason: 'counted', saleId }, key)
      return calling(t, ask, {
        good: 201,
        async done({ body }) {
          t.match(await ask(), { status: 201, body })
          units.get(sku)!.delta += delta
        },
      })
    },

    async audit() {
      return calling(t, () => operator<{ ok: boolean }>('GET', `/sales/${saleId}/audit`), { good: 200, done: ({ body }) => void t.equal(body.ok, true) })
    },

    async sweep() {
      const carts = await Promise.all(Array.from({ length: 1 + dice.below(8) }, () => shop.take(briefSaleId, { A: 1 })))
      t.ok(carts.every(({ status }) => status === 201))
      await shop.later(briefSaleId, lapseSeconds)
      return turning(() => worker.sweep(briefSaleId), async () => {
        t.match(await counters(redis, briefSaleId, 'A'), { allocation: 10, available: 10, inCarts: 0 }, 'what lapsed is back, once')
      })
    },

    async due() {
      const { orderId } = await shop.order(book, shop.anyLine(book))
      refused(t, await shop.pay(orderId, 'tok_unreachable'), 'unavailable')
      await shop.later(saleId, askAgainSeconds)
      return turning(() => worker.askProvider(saleId), async () => {
        t.match(await shop.read(orderId), { status: 'awaiting_payment', payment: null }, 'never taken, and payable again')
        const { body } = await shop.pay(orderId)
        shop.bookPaid(book, body)
      }, () => shop.later(saleId, askAgainSeconds))
    },

    async claim() {
      await buySome()
      return turning(
        (again) => (again ? worker.redeliver(saleId) : worker.relay(saleId)),
        async () => {
          // What others have bought meanwhile as well.
          await worker.relay(saleId)
          await persisted(redis, saleId)
        },
        () => handedOutLongAgo(),
      )
    },

    async acknowledge() {
      const orders = await buySome()
      const range = (await worker.engine.claim({ saleId, shard: 0 }, jobBound, outstandingBound))!
      return turning(() => worker.persist({ saleId, shard: 0, first: range.first, last: range.last }), async () => {
        for (const { orderId } of orders) t.match(await shop.read(orderId), { status: 'paid', persisted: true })
      })
    },

    async close() {
      const ownId = await shop.publish()
      const { orderId, payment: own } = await shop.paid(ownId)
      shop.paidOrders.add(orderId)
      shop.taken.add(own!.paymentId)
      await shop.control(ownId, 'end')
      await shop.drain(ownId)
      return turning(() => worker.sweep(ownId), async () => {
        const rows = 'select entries::int from sales join certificates using (sale_id) where sale_id = $1 and sales.closed_at is not null'
        t.strictSame(await runOn(databaseUrl, rows, [ownId]), [{ entries: 1 }], 'it is closed, with its certificate')
      })
    },
  }

  async function buySome(): Promise<Order[]> {
    return Promise.all(Array.from({ length: 1 + dice.below(4) }, () => shop.buyOne(book, shop.anyLine(book))))
  }

  /** Makes time pass for the outbox alone. */
  async function handedOutLongAgo(): Promise<void> {
    const outbox = `fs:{${saleId}.0}:outbox`
    const out = await redis.xpending(outbox, 'postgres', '-', '+', outstandingBound) as [string, ...unknown[]][]
    const ids = out.map(([id]) => id)
    if (ids.length > 0) await redis.xclaim(outbox, 'postgres', 'relay', 0, ...ids, 'IDLE', 3_600_000, 'JUSTID')
  }
}
