/** What a sale has to be beyond its schema: times that exist and come in order, holds that can be renewed, each item once. */
import { type PublishSale, saleDefaults } from '../contract.js'
import type { Refusal } from '../problems.js'
import type { PlannedSale } from '../sale.js'

/**
 * @param nowMs when a sale without `startsAt` would start, in Unix ms
 * @returns the sale with the contract's defaults, its times in whole milliseconds
 */
export function planSale(asked: PublishSale, nowMs: number): PlannedSale | Refusal {
  const { startsAt, endsAt, ...rest } = asked
  const starts = startsAt === undefined ? null : exactTime(startsAt)
  const ends = endsAt === undefined ? null : exactTime(endsAt)
  const plan: PlannedSale = {
    ...saleDefaults,
    ...rest,
    ...(starts === null ? {} : { startsAt: starts.text }),
    ...(ends === null ? {} : { endsAt: ends.text }),
  }
  const errors = []
  if (starts?.ms === null) errors.push({ path: '/startsAt', message: 'must be a time that exists' })
  if (ends?.ms === null) errors.push({ path: '/endsAt', message: 'must be a time that exists' })
  else if (ends !== null && ends.ms <= (starts?.ms ?? nowMs)) errors.push({ path: '/endsAt', message: 'must be after startsAt' })
  if (plan.maxHoldSeconds < plan.holdSeconds) errors.push({ path: '/maxHoldSeconds', message: `must be at least holdSeconds, ${plan.holdSeconds}` })
  const skus = plan.items.map(({ sku }) => sku)
  const seen = new Set<string>()
  const twice = skus.findIndex((sku) => seen.size === seen.add(sku).size)
  if (twice !== -1) errors.push({ path: `/items/${twice}/sku`, message: 'names an item that the sale has already' })
  const currency = plan.items.find(({ price }) => price !== undefined)?.price?.currency
  const foreign = plan.items.findIndex(({ price }) => price !== undefined && price.currency !== currency)
  if (foreign !== -1) errors.push({ path: `/items/${foreign}/price/currency`, message: `must be ${currency}, as in the rest of the sale` })
  return errors.length === 0 ? plan : { refused: 'invalid_request', errors }
}

/** A schema's `date-time` may still be a leap second, or lie before 1970, where neither store could keep it. */
function exactTime(time: string): { text: string; ms: number | null } {
  const ms = Date.parse(time)
  return ms >= 0 ? { text: new Date(ms).toISOString(), ms } : { text: time, ms: null }
}
