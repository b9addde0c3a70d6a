/**
 * The catalogue. An item's quantity is the stock of the store: set when the item is made, changed only by
 * a movement in the ledger.
 */
import type { CatalogueItem, PutItem } from '../contract.js'
import type { Refusal } from '../problems.js'
import { type Connection, inTransaction, type Pool } from './pool.js'

export interface ItemRow {
  readonly sku: string
  readonly name: string
  readonly description: string
  readonly price_amount: number
  readonly currency: string
  readonly quantity: number
  readonly made_with_quantity: number
}

const columns = 'sku, name, description, price_amount, currency, quantity, made_with_quantity'

/**
 * Makes an item, or changes its name, description and price. A quantity counts only when the item is made; later
 * it has to be the one that it was made with, so that a retried call is harmless, or the one it has now.
 */
export function putItem(
  pool: Pool,
  sku: string,
  item: PutItem,
): Promise<{ readonly created: boolean; readonly item: CatalogueItem } | Refusal> {
  return inTransaction(pool, async (connection) => {
    const made = await insertItem(connection, sku, item)
    if (made) {
      if (made.quantity > 0) await insertFirstMovement(connection, made)
      return { created: true, item: catalogueItem(made) }
    }
    const [present] = await lockItems(connection, [sku])
    if (!present) throw new RangeError(`item ${sku} was there and is gone, and nothing deletes items`)
    if (item.quantity !== undefined && item.quantity !== present.quantity && item.quantity !== present.made_with_quantity) {
      return { refused: 'item_exists' }
    }
    return { created: false, item: catalogueItem(await updateItem(connection, sku, item)) }
  })
}

/** @returns the item as Postgres has it, or null where there is none */
export async function findItem(connection: Connection, sku: string): Promise<CatalogueItem | null> {
  const { rows } = await connection.query<ItemRow>(`select ${columns} from items where sku = $1`, [sku])
  return rows[0] ? catalogueItem(rows[0]) : null
}

/**
 * Locks items until the transaction ends. Always in the order of their sku, and before any row of a sale: no two
 * transactions can then wait for each other.
 * @returns those that exist
 */
export async function lockItems(connection: Connection, skus: readonly string[]): Promise<ItemRow[]> {
  const { rows } = await connection.query<ItemRow>(
    `select ${columns} from items where sku = any($1::text[]) order by sku for no key update`,
    [skus],
  )
  return rows
}

/** @returns the units of each item that unclosed sales may still sell; read after its lock was taken */
export async function committedUnits(connection: Connection, skus: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await connection.query<{ sku: string; units: number }>(
    `select sku, sum(allocation - sold)::bigint as units
       from sale_items join sales using (sale_id)
      where sku = any($1::text[]) and closed_at is null
      group by sku`,
    [skus],
  )
  return new Map(rows.map(({ sku, units }) => [sku, units]))
}

async function insertItem(connection: Connection, sku: string, item: PutItem): Promise<ItemRow | undefined> {
  const { rows } = await connection.query<ItemRow>(
    `insert into items (${columns}) values ($1, $2, $3, $4, $5, $6, $6) on conflict (sku) do nothing returning ${columns}`,
    [sku, item.name, item.description ?? '', item.price.amount, item.price.currency, item.quantity ?? 0],
  )
  return rows[0]
}

async function insertFirstMovement(connection: Connection, { sku, quantity }: ItemRow): Promise<void> {
  await connection.query(`insert into stock_movements (sku, delta, reason) values ($1, $2, 'made')`, [sku, quantity])
}

async function updateItem(connection: Connection, sku: string, item: PutItem): Promise<ItemRow> {
  const { rows } = await connection.query<ItemRow>(
    `update items set name = $2, description = $3, price_amount = $4, currency = $5 where sku = $1 returning ${columns}`,
    [sku, item.name, item.description ?? '', item.price.amount, item.price.currency],
  )
  return rows[0]!
}

function catalogueItem(row: ItemRow): CatalogueItem {
  return {
    sku: row.sku,
    name: row.name,
    description: row.description,
    price: { amount: row.price_amount, currency: row.currency },
    quantity: row.quantity,
  }
}
