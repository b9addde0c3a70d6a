/** What an audit comes to, in one number. */
import type { AuditReport } from '../../contract.js'

/**
 * @returns units that were sold beyond what was allocated, over all items. Sold is what the sale counts or what its orders
 *   come to, whichever is more: an order that nobody counted was sold all the same.
 */
export function oversoldUnits({ items }: Pick<AuditReport, 'items'>): number {
  return items.reduce((sum, { allocation, sold, persisted, inFlight }) => sum + Math.max(0, Math.max(sold, persisted + inFlight) - allocation), 0)
}

/** What each rule of the audit promises. */
export const rules: Readonly<Record<string, string>> = {
  I1: 'Each allocated unit is available, held or sold, and only one of them',
  I2: 'Each held unit is in one cart or order that lapses in time',
  I3: 'Each sold unit is in Postgres or on its way there',
  I4: 'The store’s stock is what its ledger comes to',
}
