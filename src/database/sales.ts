/**
 * Sales as Postgres keeps them: stored first, then published in Redis, which runs them.
 */
import type { Refusal } from '../problems.js'
import type { PlannedSale, SaleDefinition, SaleItemDefinition } from '../sale.js'
import { committedUnits, type ItemRow, lockItems } from './items.js'
import { type Connection, inTransaction, type Pool } from './pool.js'

/** How long a sale may be on its way to Redis before a worker takes over; longer than any call to Redis lasts. */
const publishingSeconds = 5

/**
 * Stores a sale and takes its allocations from what the store can still sell.
 * @returns the sale, to be published in Redis
 */
export function createSale(pool: Pool, plan: PlannedSale): Promise<SaleDefinition | Refusal> {
  return inTransaction(pool, async (connection) => {
    const skus = plan.items.map(({ sku }) => sku)
    const catalogue = new Map((await lockItems(connection, skus)).map((row) => [row.sku, row]))
    const prices = plan.items.map(({ sku, price }) => price ?? catalogued(catalogue.get(sku)))
    const currency = prices.find((price) => price !== undefined)?.currency
    const foreign = prices.findIndex((price) => price !== undefined && price.currency !== currency)
    if (foreign !== -1) return invalid(`/items/${foreign}/price/currency`, `must be ${currency}, as in the rest of the sale`)
    if (currency === undefined || skus.some((sku) => !catalogue.has(sku))) return { refused: 'item_not_found' }

    // Read under the locks: whoever sells or allocates these items waits.
    const committed = await committedUnits(connection, skus)
    if (!(await insertSale(connection, plan, currency))) return unpublishedTwin(connection, plan, prices)
    const short = plan.items.some(({ sku, allocation }) => allocation > catalogue.get(sku)!.quantity - (committed.get(sku) ?? 0))
    if (short) return { refused: 'over_allocated' }
    await insertSaleItems(connection, plan, prices.map((price) => price!.amount), currency)
    return (await definitions(connection, [plan.saleId]))[0]!
  })
}

/**
 * Whoever published a sale and was not answered may do so again.
 * @returns the sale that is there, where it is this very one and not in Redis yet
 */
async function unpublishedTwin(connection: Connection, plan: PlannedSale, prices: readonly ({ amount: number } | undefined)[]): Promise<SaleDefinition | Refusal> {
  const { rows } = await connection.query('select from sales where sale_id = $1 and published_at is null', [plan.saleId])
  const [there] = rows.length === 0 ? [] : await definitions(connection, [plan.saleId])
  if (there === undefined) return { refused: 'sale_exists' }
  const asked = (items: readonly { sku: string; allocation: number; maxPerCart?: number | null }[], amounts: readonly (number | undefined)[]) =>
    JSON.stringify(items.map(({ sku, allocation, maxPerCart = null }, i) => [sku, allocation, maxPerCart, amounts[i]]))
  const time = (text: string | undefined) => (text === undefined ? null : Date.parse(text))
  const same = there.name === plan.name && there.holdAt === plan.holdAt && there.lowStockAt === plan.lowStockAt
    && there.startsAtMs === time(plan.startsAt) && there.endsAtMs === time(plan.endsAt)
    && there.holdSeconds === plan.holdSeconds && there.maxHoldSeconds === plan.maxHoldSeconds
    && there.paymentSeconds === plan.paymentSeconds && there.pendingSeconds === plan.pendingSeconds
    && asked(there.items, there.items.map(({ unitAmount }) => unitAmount)) === asked(plan.items, prices.map((price) => price?.amount))
  return same ? there : { refused: 'sale_exists' }
}

/** @returns the sales that are stored and should long be in Redis, oldest first: whoever made them was cut off */
export async function unpublishedSales(pool: Pool): Promise<SaleDefinition[]> {
  const { rows } = await pool.query<{ sale_id: string }>(
    `select sale_id from sales
      where published_at is null and created_at < now() - make_interval(secs => $1)
      order by created_at limit 10`,
    [publishingSeconds],
  )
  return rows.length === 0 ? [] : definitions(pool, rows.map((row) => row.sale_id))
}

/** Notes that Redis has the sale, and when it opens there (Unix milliseconds). */
export async function markPublished(pool: Pool, saleId: string, startsAtMs: number): Promise<void> {
  await pool.query(
    `update sales set published_at = now(), starts_at = to_timestamp($2 / 1000.0)
      where sale_id = $1 and published_at is null`,
    [saleId, startsAtMs],
  )
}

/** Notes when the sale ends or has ended (Unix milliseconds). */
export async function setSaleEnd(pool: Pool, saleId: string, endsAtMs: number): Promise<void> {
  await pool.query('update sales set ends_at = to_timestamp($2 / 1000.0) where sale_id = $1', [saleId, endsAtMs])
}

/** Notes whether the sale is paused. */
export async function setSalePaused(pool: Pool, saleId: string, paused: boolean): Promise<void> {
  await pool.query('update sales set paused = $2 where sale_id = $1', [saleId, paused])
}

/** Notes that nothing of the sale is left to sell or persist: what it did not sell is the store's again. */
export async function markClosed(pool: Pool, saleId: string): Promise<void> {
  await pool.query('update sales set closed_at = now() where sale_id = $1 and closed_at is null', [saleId])
}

/** @returns the ids of the sales that still hold their allocation */
export async function unclosedSales(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ sale_id: string }>('select sale_id from sales where closed_at is null order by sale_id')
  return rows.map((row) => row.sale_id)
}

/** @returns whether Redis may have been given a sale: one that is empty then has lost its data */
export async function anySale(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query<{ any: boolean }>('select exists (select from sales) as any')
  return rows[0]!.any
}

function invalid(path: string, message: string): Refusal {
  return { refused: 'invalid_request', errors: [{ path, message }] }
}

function catalogued(row: ItemRow | undefined): { amount: number; currency: string } | undefined {
  return row && { amount: row.price_amount, currency: row.currency }
}

/** @returns whether it was stored: a sale of that id may have been there already */
async function insertSale(connection: Connection, plan: PlannedSale, currency: string): Promise<boolean> {
  const { rowCount } = await connection.query(
    `insert into sales (sale_id, name, currency, starts_at, ends_at, hold_at, hold_seconds, max_hold_seconds,
                        payment_seconds, pending_seconds, low_stock_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (sale_id) do nothing`,
    [
      plan.saleId, plan.name, currency, plan.startsAt ?? null, plan.endsAt ?? null, plan.holdAt, plan.holdSeconds,
      plan.maxHoldSeconds, plan.paymentSeconds, plan.pendingSeconds, plan.lowStockAt,
    ],
  )
  return rowCount === 1
}

async function insertSaleItems(connection: Connection, plan: PlannedSale, amounts: number[], currency: string): Promise<void> {
  await connection.query(
    `insert into sale_items (sale_id, sku, position, name, description, price_amount, list_price_amount, allocation, loaded, max_per_cart)
     select $1, sku, position, name, description, amount,
            case when items.currency = $6 and items.price_amount > amount then items.price_amount end,
            allocation, allocation, max_per_cart
       from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
            with ordinality as planned (sku, amount, allocation, max_per_cart, position)
       join items using (sku)`,
    [
      plan.saleId, plan.items.map(({ sku }) => sku), amounts, plan.items.map(({ allocation }) => allocation),
      plan.items.map(({ maxPerCart }) => maxPerCart ?? null), currency,
    ],
  )
}

interface SaleRow {
  readonly sale_id: string
  readonly name: string
  readonly currency: string
  readonly starts_at: Date | null
  readonly ends_at: Date | null
  readonly hold_at: 'cart' | 'checkout'
  readonly hold_seconds: number
  readonly max_hold_seconds: number
  readonly payment_seconds: number
  readonly pending_seconds: number
  readonly low_stock_at: number
}

/** @returns the stored sales with these ids, oldest first */
export async function definitions(connection: Connection, saleIds: readonly string[]): Promise<SaleDefinition[]> {
  const { rows } = await connection.query<SaleRow>(
    `select sale_id, name, currency, starts_at, ends_at, hold_at, hold_seconds, max_hold_seconds, payment_seconds,
            pending_seconds, low_stock_at
       from sales where sale_id = any($1::text[]) order by created_at`,
    [saleIds],
  )
  const items = new Map<string, SaleItemDefinition[]>(rows.map((row) => [row.sale_id, []]))
  for (const { saleId, ...item } of await saleItems(connection, saleIds)) items.get(saleId)!.push(item)
  return rows.map((row) => ({
    saleId: row.sale_id,
    name: row.name,
    currency: row.currency,
    startsAtMs: row.starts_at?.getTime() ?? null,
    endsAtMs: row.ends_at?.getTime() ?? null,
    holdAt: row.hold_at,
    holdSeconds: row.hold_seconds,
    maxHoldSeconds: row.max_hold_seconds,
    paymentSeconds: row.payment_seconds,
    pendingSeconds: row.pending_seconds,
    lowStockAt: row.low_stock_at,
    items: items.get(row.sale_id)!,
  }))
}

async function saleItems(connection: Connection, saleIds: readonly string[]): Promise<(SaleItemDefinition & { saleId: string })[]> {
  const { rows } = await connection.query<SaleItemDefinition & { saleId: string }>(
    `select sale_id as "saleId", sku, name, description, price_amount as "unitAmount", list_price_amount as "listAmount",
            allocation, max_per_cart as "maxPerCart"
       from sale_items where sale_id = any($1::text[]) order by sale_id, position`,
    [saleIds],
  )
  return rows
}
