/**
 * What never changes about a sale once it is published: names, list prices, times. Kept in Redis beside the policy and
 * remembered by each process; everything that moves is read from the scripts' replies.
 */
import type { SaleDefinition } from '../sale.js'

export interface CatalogueEntry {
  readonly name: string
  readonly description: string
  /** The catalogue's price in minor units where it is higher than the sale's. */
  readonly listAmount: number | null
}

export interface Catalogue extends Omit<SaleDefinition, 'items' | 'startsAtMs' | 'endsAtMs' | 'pendingSeconds'> {
  /** By sku, in the order in which the sale was published. */
  readonly items: ReadonlyMap<string, CatalogueEntry>
}

/** Sales that one process remembers; the oldest goes first. */
const rememberedBound = 256

/** @returns the JSON that is kept in Redis */
export function encodeCatalogue(definition: SaleDefinition): string {
  const { items, startsAtMs: _starts, endsAtMs: _ends, pendingSeconds: _pending, ...sale } = definition
  return JSON.stringify({
    ...sale,
    items: items.map(({ sku, name, description, listAmount }) => [sku, { name, description, listAmount }]),
  })
}

/** Parses what `encodeCatalogue` wrote; nobody else writes there. */
function decodeCatalogue(json: string): Catalogue {
  const { items, ...sale } = JSON.parse(json) as Omit<Catalogue, 'items'> & { items: [string, CatalogueEntry][] }
  return { ...sale, items: new Map(items) }
}

export interface Catalogues {
  /** @returns a sale's catalogue where this process knows it */
  known(saleId: string): Catalogue | undefined
  /** @returns a sale's catalogue, or null where Redis has none */
  load(saleId: string): Promise<Catalogue | null>
  forget(saleId: string): void
}

export function createCatalogues(read: (saleId: string) => Promise<string | null>): Catalogues {
  const remembered = new Map<string, Catalogue>()
  /** What is being loaded: a crowd that comes to a sale of thousands of items at once reads it once, and not each for itself. */
  const loading = new Map<string, Promise<Catalogue | null>>()

  async function load(saleId: string): Promise<Catalogue | null> {
    const json = await read(saleId)
    if (json === null) return null
    const catalogue = decodeCatalogue(json)
    if (remembered.size >= rememberedBound) {
      for (const oldest of remembered.keys()) {
        remembered.delete(oldest)
        break
      }
    }
    remembered.set(saleId, catalogue)
    return catalogue
  }

  return {
    known: (saleId) => remembered.get(saleId),
    load(saleId) {
      let its = loading.get(saleId)
      if (its === undefined) {
        its = load(saleId).finally(() => loading.delete(saleId))
        loading.set(saleId, its)
      }
      return its
    },
    forget: (saleId) => void remembered.delete(saleId),
  }
}
