/**
 * What a closed sale came to: its results, item by item, and the certificate over its ledger.
 */
import { type Certificate, type CertifiedSale, certify } from '../ledger.js'
import { type Connection, inTransaction, type Pool } from './pool.js'

/** What the sale's own counters say of an item in the end. */
export interface ItemResult {
  readonly sku: string
  readonly allocation: number
  readonly sold: number
  readonly givenBack: number
}

/** Rows of the ledger that are read at a time. */
const pageBound = 5_000

/**
 * Writes a closed sale's results and its certificate, once.
 * @throws where the sale's counters and the rows of Postgres do not agree: nothing is certified then
 */
export function certifySale(pool: Pool, saleId: string, results: readonly ItemResult[]): Promise<void> {
  return inTransaction(pool, async (connection) => {
    await connection.query('set transaction isolation level repeatable read')
    if (await findCertificate(connection, saleId)) return
    const sale = await closedSale(connection, saleId)
    if (sale === null) throw new RangeError(`sale ${saleId} is not closed`)
    for (const { sku, loaded, adjusted, sold, givenBack } of sale.items) {
      const counted = results.find((item) => item.sku === sku)
      if (counted?.allocation !== loaded + adjusted || counted.sold !== sold || counted.givenBack !== givenBack) {
        throw new RangeError(`${sku} of ${saleId}: the sale has counted ${JSON.stringify(counted)}, Postgres ${JSON.stringify({ loaded, adjusted, sold, givenBack })}`)
      }
    }
    await insertResults(connection, saleId, results)
    await insertCertificate(connection, sale, await certify(sale, ledger(connection, saleId)))
  })
}

/**
 * Writes a certificate out, line by line.
 * @returns it, or null where the sale has none
 * @throws where what is written is not what was certified
 */
export function exportCertificate(pool: Pool, saleId: string, write: (line: string) => void): Promise<Certificate | null> {
  return inTransaction(pool, async (connection) => {
    await connection.query('set transaction isolation level repeatable read, read only')
    const certificate = await findCertificate(connection, saleId)
    const sale = certificate && (await closedSale(connection, saleId))
    if (!certificate || !sale) return null
    const made = await certify(sale, ledger(connection, saleId, certificate.lastEntry), write)
    if (made.hash !== certificate.hash) throw new RangeError(`the ledger of ${saleId} is not the one that was certified`)
    return made
  })
}

async function findCertificate(connection: Connection, saleId: string): Promise<Certificate | undefined> {
  const { rows } = await connection.query<Certificate>('select entries, last_entry as "lastEntry", hash from certificates where sale_id = $1', [saleId])
  return rows[0]
}

/** @returns the sale with its items in the order of their skus, or null where it is not closed */
async function closedSale(connection: Connection, saleId: string): Promise<CertifiedSale | null> {
  const { rows: [sale] } = await connection.query<{ name: string; currency: string; closed_at: Date }>(
    'select name, currency, closed_at from sales where sale_id = $1 and closed_at is not null',
    [saleId],
  )
  if (!sale) return null
  const { rows: items } = await connection.query<CertifiedSale['items'][number]>(
    `select sku, loaded, allocation - loaded as adjusted, sold, allocation - sold as "givenBack"
       from sale_items where sale_id = $1 order by sku collate "C"`,
    [saleId],
  )
  return { saleId, name: sale.name, currency: sale.currency, closedAt: sale.closed_at.toISOString(), items }
}

/** Reads a sale's ledger in the order of its outbox, up to an entry where one is given. */
async function* ledger(connection: Connection, saleId: string, lastEntry = `${Number.MAX_SAFE_INTEGER}-0`): AsyncGenerator<string> {
  for (let from = '0-0'; ;) {
    const { rows } = await connection.query<{ outbox_id: string; line: string }>(
      `select outbox_id, line
         from sale_ledger, lateral (select split_part(outbox_id, '-', 1)::bigint as ms, split_part(outbox_id, '-', 2)::bigint as sequence) as id
        where sale_id = $1
          and (ms, sequence) > (split_part($2, '-', 1)::bigint, split_part($2, '-', 2)::bigint)
          and (ms, sequence) <= (split_part($3, '-', 1)::bigint, split_part($3, '-', 2)::bigint)
        order by ms, sequence limit $4`,
      [saleId, from, lastEntry, pageBound],
    )
    for (const row of rows) yield row.line
    if (rows.length < pageBound) return
    from = rows.at(-1)!.outbox_id
  }
}

async function insertResults(connection: Connection, saleId: string, results: readonly ItemResult[]): Promise<void> {
  await connection.query(
    `insert into sale_results (sale_id, sku, allocation, sold, given_back)
     select $1, * from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[])`,
    [saleId, results.map(({ sku }) => sku), results.map(({ allocation }) => allocation), results.map(({ sold }) => sold), results.map(({ givenBack }) => givenBack)],
  )
}

async function insertCertificate(connection: Connection, { saleId, closedAt }: CertifiedSale, { entries, lastEntry, hash }: Certificate): Promise<void> {
  await connection.query(
    'insert into certificates (sale_id, entries, last_entry, hash, closed_at) values ($1, $2, $3, $4, $5)',
    [saleId, entries, lastEntry, hash, closedAt],
  )
}
