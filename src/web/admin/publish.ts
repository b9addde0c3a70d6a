/**
 * From a table to a sale: each item into the catalogue, then the sale. All of it may be cut anywhere and done again: an item that is
 * there as it should be is left as it is, and so is the sale.
 */
import type { PublishSale, Sale } from '../../contract.js'
import type { ItemRow } from './csv.js'
import { type Answer, inWords, type Operator, type Refused } from './operator.js'

/** Items that are on their way at a time. */
const atOnce = 4

export type SaleSetup = Omit<PublishSale, 'items'>
export interface RowFault {
  readonly row: number
  readonly sku: string
  readonly message: string
}
export type Outcome =
  | { readonly is: 'published'; readonly sale: Sale; readonly wasThere: boolean }
  | { readonly is: 'items'; readonly faults: readonly RowFault[] }
  | { readonly is: 'refused'; readonly message: string }

/** @param onProgress told how many items are in the catalogue */
export async function publish(operator: Operator, setup: SaleSetup, rows: readonly ItemRow[], onProgress: (done: number) => void): Promise<Outcome> {
  const faults = await putItems(operator, rows, onProgress)
  if (faults.length > 0) return { is: 'items', faults: faults.toSorted((a, b) => a.row - b.row) }
  const items = rows.map(({ item }) => item!.sale)
  const published = await operator.ask<Sale>('POST', '/v1/admin/sales', { body: { ...setup, items } })
  if ('value' in published) return { is: 'published', sale: published.value, wasThere: false }
  if (published.refused.code === 'sale_exists') {
    const there = await operator.ask<Sale>('GET', `/v1/sales/${setup.saleId}`)
    if ('value' in there && isTheSame(there.value, setup, items)) return { is: 'published', sale: there.value, wasThere: true }
    return { is: 'refused', message: 'There is another sale with this id. Choose another id.' }
  }
  return { is: 'refused', message: explain(published.refused) }
}

async function putItems(operator: Operator, rows: readonly ItemRow[], onProgress: (done: number) => void): Promise<RowFault[]> {
  const faults: RowFault[] = []
  const left = rows.values()
  let done = 0
  async function work(): Promise<void> {
    for (const { row, item } of left) {
      const { sku } = item!.sale
      const answer: Answer<unknown> = await operator.ask('PUT', `/v1/admin/items/${sku}`, { body: item!.put })
      if ('refused' in answer) {
        faults.push({ row, sku, message: explain(answer.refused) })
        // Nobody is there, or nobody is let in: the others would only hear the same.
        if (answer.refused.status === 0 || answer.refused.status === 401) return
      } else onProgress(done += 1)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return faults
}

function explain(refused: Refused): string {
  switch (refused.code) {
    case 'item_exists':
      return 'The store has this item with another quantity: leave the quantity empty here, and restock the item instead.'
    case 'over_allocated':
      return 'More is allocated than the store has, less what other sales may still sell. Restock, or allocate less.'
    default:
      return inWords(refused)
  }
}

/** What a sale tells as it was published; what was left to the API is as it should be. */
const toldAsGiven = ['name', 'startsAt', 'endsAt', 'holdAt', 'holdSeconds', 'maxHoldSeconds', 'paymentSeconds', 'lowStockAt'] as const

/** Whether the sale that is there is the one that was to be published: its answer was lost. Units that it has sold are gone from its allocations, so those tell nothing. */
function isTheSame(there: Sale, setup: SaleSetup, items: PublishSale['items']): boolean {
  const bySku = new Map(there.items?.map((item) => [item.sku, item]))
  return toldAsGiven.every((name) => setup[name] === undefined || setup[name] === there[name])
    && bySku.size === items.length
    && items.every(({ sku, price, maxPerCart = null }) => bySku.get(sku)?.price.amount === price?.amount && bySku.get(sku)?.maxPerCart === maxPerCart)
}
