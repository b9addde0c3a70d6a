/**
 * A sale as it is published: the one description that Postgres stores and Redis runs. Times are Unix
 * milliseconds, amounts are minor units of the sale's one currency, names end in their unit.
 */
import type { PublishSale } from './contract.js'

export interface SaleDefinition {
  readonly saleId: string
  readonly name: string
  readonly currency: string
  /** Null: at the moment in which Redis takes the sale. */
  readonly startsAtMs: number | null
  /** Null: when an operator ends it. */
  readonly endsAtMs: number | null
  readonly holdAt: 'cart' | 'checkout'
  readonly holdSeconds: number
  readonly maxHoldSeconds: number
  readonly paymentSeconds: number
  readonly pendingSeconds: number
  readonly lowStockAt: number
  readonly items: readonly SaleItemDefinition[]
}

/** One item of a sale, as the catalogue had it when the sale was published. */
export interface SaleItemDefinition {
  readonly sku: string
  readonly name: string
  readonly description: string
  readonly unitAmount: number
  /** The catalogue's price, where it is higher. */
  readonly listAmount: number | null
  readonly allocation: number
  readonly maxPerCart: number | null
}

/** What an operator asked for, the defaults of the contract filled in. */
export type PlannedSale = PublishSale &
  Required<Pick<PublishSale, 'holdAt' | 'holdSeconds' | 'maxHoldSeconds' | 'paymentSeconds' | 'pendingSeconds' | 'lowStockAt'>>
