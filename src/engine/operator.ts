/**
 * What operators do to a running sale. Postgres knows of a sale and of a restock first; a pause, an end or a shrink
 * takes effect here first.
 */
import type { Refusal } from '../problems.js'
import { markerKey, recoveringKey, salesKey, shardKey } from '../keys.js'
import type { SaleDefinition } from '../sale.js'
import { encodeCatalogue } from './catalogue.js'
import { type Core, shardOf } from './core.js'
import { decodeRefusal } from './decode.js'

/** What one script has read of a sale, in one step. */
export interface SaleState {
  /** Redis' clock, Unix milliseconds. */
  readonly atMs: number
  /** The last entry of the outbox that these counters count. */
  readonly lastEntry: string
  readonly items: readonly { readonly sku: string; readonly allocation: number; readonly available: number; readonly held: number; readonly sold: number }[]
  /** Carts, orders and deadlines that do not agree with the counters, where they were few enough to be looked at. */
  readonly wrong: readonly { readonly sku: string | null; readonly detail: string }[]
}

/** What Postgres knows of a sale that Redis has lost. */
export interface LostSale {
  /** Later than any that the sale had: every id of before is void. */
  readonly epoch: number
  readonly paused: boolean
  /** The last outbox entry that Postgres has; 0-0 for none. */
  readonly lastEntry: string
  /** Entries that are set apart. */
  readonly dead: number
  /** Adjustments that the allocations count already. */
  readonly adjustmentIds: readonly string[]
  /** Units sold by sku. */
  readonly sold: ReadonlyMap<string, number>
}

/** Units of one item. Under `holdAt: checkout` those in carts are wanted, not held. */
export interface ItemCounters {
  readonly sku: string
  readonly allocation: number
  readonly available: number
  readonly inCarts: number
  /** In unpaid orders. */
  readonly inOrders: number
  readonly sold: number
}

const newSale: LostSale = { epoch: 1, paused: false, lastEntry: '0-0', dead: 0, adjustmentIds: [], sold: new Map() }

export interface Operator {
  /** Publishes a sale; done twice, it changes nothing. @returns when the sale starts */
  publish(definition: SaleDefinition): Promise<{ readonly startsAtMs: number }>
  /** Publishes a sale that Redis has lost. @returns false where it is there, and lives */
  recover(definition: SaleDefinition, lost: LostSale): Promise<boolean>
  /** @returns the epoch that a sale came back under, until everything of its recovery is done; else null */
  recovering(saleId: string): Promise<number | null>
  recovered(saleId: string): Promise<void>
  /** @returns whether Redis has the sale */
  lives(saleId: string): Promise<boolean>
  /** Puts down that this Redis has every sale that runs. */
  markWhole(): Promise<void>
  /** @returns when the sale ends, null where nobody has said */
  control(saleId: string, action: 'pause' | 'resume' | 'end'): Promise<{ readonly endsAtMs: number | null } | Refusal>
  /** Changes an item's allocation by `delta` units, once for each adjustment id. */
  adjust(saleId: string, sku: string, delta: number, adjustmentId: string): Promise<null | Refusal>
  /** Reads the counters of every item, in one step, as they stand. */
  counters(saleId: string): Promise<ItemCounters[] | Refusal>
  /** Reads what an audit holds against the ledger, in one step. */
  state(saleId: string): Promise<SaleState | Refusal>
}

/** @returns a list in groups of `size` */
function inGroups<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: list.length / size }, (_, i) => list.slice(i * size, (i + 1) * size))
}

/** Carts and orders that an audit looks at one by one; more would keep customers waiting. */
const lookedAtBound = 5_000
/** How often an adjustment comes again while lapsed holds are given back before it is refused for them. */
const againBound = 10_000

export function createOperator(core: Core): Operator {
  return {
    async state(saleId) {
      const reply = await core.run('audit', shardOf(saleId), [lookedAtBound])
      if (reply === 'NO_SALE') return core.missing('sale_not_found')
      const [lastEntry, atMs, , items, wrong] = reply as [string, number, number, (string | number)[], string[]]
      return {
        atMs,
        lastEntry,
        items: inGroups(items, 5).map(([sku, ...counters]) => {
          const [allocation, available, held, sold] = counters.map(Number) as [number, number, number, number]
          return { sku: String(sku), allocation, available, held, sold }
        }),
        wrong: inGroups(wrong, 2).map(([sku, detail]) => ({ sku: sku === '' ? null : sku!, detail: detail! })),
      }
    },

    async counters(saleId) {
      const stock = await core.redis().hgetall(shardKey(shardOf(saleId), 'stock'))
      const skus = Object.keys(stock).toSorted()
      if (skus.length === 0) return core.missing('sale_not_found')
      return skus.map((sku) => {
        const [allocation, available, inCarts, inOrders, sold] = stock[sku]!.split(' ').map(Number) as [number, number, number, number, number]
        return { sku, allocation, available, inCarts, inOrders, sold }
      })
    },

    async publish(definition) {
      await core.assertWhole()
      return { startsAtMs: (await publish(definition)).startsAtMs }
    },

    async lives(saleId) {
      return (await core.redis().hexists(shardKey(shardOf(saleId), 'policy'), 'epoch')) === 1
    },

    async markWhole() {
      await core.redis().set(markerKey, '1')
    },

    async recover(definition, lost) {
      // Before anything of the sale: whoever is cut off after that can be followed by somebody who ends it.
      await core.redis().setnx(recoveringKey(definition.saleId), lost.epoch)
      return (await publish(definition, lost)).made
    },

    async recovering(saleId) {
      const epoch = await core.redis().get(recoveringKey(saleId))
      return epoch === null ? null : Number(epoch)
    },

    async recovered(saleId) {
      await core.redis().del(recoveringKey(saleId))
    },

    async control(saleId, action) {
      const reply = String(await core.run('control', shardOf(saleId), [action]))
      if (reply === 'NO_SALE') return core.missing('sale_not_found')
      if (!reply.startsWith('OK ')) return decodeRefusal(reply)
      return { endsAtMs: reply === 'OK -' ? null : Number(reply.slice(3)) }
    },

    async adjust(saleId, sku, delta, adjustmentId) {
      for (let again = 0; again < againBound; again += 1) {
        const reply = String(await core.run('adjust', shardOf(saleId), [adjustmentId, sku, delta]))
        if (reply === 'OK') return null
        if (reply === 'NO_SALE') return core.missing('sale_not_found')
        if (reply !== 'MORE') return decodeRefusal(reply)
      }
      throw new Error('too many lapsed holds lie before this adjustment')
    },
  }

  /** @returns when the sale starts, and whether it was not there before */
  async function publish(definition: SaleDefinition, lost: LostSale = newSale): Promise<{ startsAtMs: number; made: boolean }> {
    const { saleId, startsAtMs, endsAtMs, currency, holdAt } = definition
    const { epoch, paused, lastEntry, dead, adjustmentIds, sold } = lost
    const reply = await core.run('publish', shardOf(saleId), [
      startsAtMs ?? '-',
      endsAtMs ?? '-',
      holdAt,
      definition.holdSeconds * 1_000,
      definition.maxHoldSeconds * 1_000,
      definition.paymentSeconds * 1_000,
      definition.pendingSeconds * 1_000,
      currency,
      encodeCatalogue(definition),
      [epoch, paused ? 1 : 0, lastEntry, dead, ...adjustmentIds].join(' '),
      ...definition.items.flatMap(({ sku, allocation, unitAmount, maxPerCart }) => [sku, allocation, sold.get(sku) ?? 0, unitAmount, maxPerCart ?? 0]),
    ])
    if (reply === 'LEFTOVERS') throw new Error(`parts of ${saleId} are still in Redis, and nobody but a person may throw them away`)
    const match = typeof reply === 'string' ? /^(OK|EXISTS) (\d+)$/.exec(reply) : null
    if (match === null) throw new TypeError(`publishing was answered out of its form: ${String(reply)}`)
    await core.redis().sadd(salesKey, saleId)
    return { startsAtMs: Number(match[2]), made: match[1] === 'OK' }
  }
}
