/**
 * From the outbox to Postgres: hundreds of entries in one transaction, each of them once, however often it comes.
 *
 * One bad order must not hold up its batch. A batch that Postgres refuses for what is in it is halved until the bad
 * entry is alone; what was good is committed on the way, and a retry of the whole finds it done.
 */
import { parseId } from '../ids.js'
import type { OutboxEntry } from '../outbox.js'
import { UnwritableValue } from './arrays.js'
import { DatabaseError, inTransaction, type Pool } from './pool.js'
import { UnreadableEntry, writeEntries } from './write.js'

/**
 * What became of an entry. `retry`: Postgres has fewer units than were sold, and a restock that is on its way will
 * mend that. Poisoned (by an SQLSTATE, or null where it did not come as far as Postgres): it can never be persisted as it is, and was
 * set apart in `dead_orders`.
 */
export type Persisted = 'persisted' | 'retry' | { readonly poisoned: string | null; readonly reason: string }

/**
 * @returns what became of each entry, in their order
 * @throws where nothing is wrong with the entries (no connection, a deadlock): all of them are to be tried again,
 * and some may be persisted by then
 */
export async function persist(pool: Pool, entries: readonly OutboxEntry[]): Promise<Persisted[]> {
  const [entry] = entries
  if (!entry) return []
  try {
    await inTransaction(pool, (connection) => writeEntries(connection, entries))
    return entries.map(() => 'persisted')
  } catch (error) {
    const verdict = judge(error)
    if (verdict === null) throw error
    if (entries.length > 1) {
      const half = entries.length >> 1
      return [...(await persist(pool, entries.slice(0, half))), ...(await persist(pool, entries.slice(half)))]
    }
    if (verdict !== 'retry') await insertDeadOrder(pool, entry, verdict.poisoned, verdict.reason)
    return [verdict]
  }
}

/** Classes of SQLSTATE that tell of what was written: cardinality (a double in one batch), data, constraint, size. */
const dataFaults = new Set(['21', '22', '23', '54'])
const stockChecks = new Set(['items_quantity_check', 'sale_items_sold_check'])

/** @returns what an error says of the entries, or null where it says nothing of them */
export function judge(error: unknown): Exclude<Persisted, 'persisted'> | null {
  if (error instanceof UnreadableEntry || error instanceof UnwritableValue) return { poisoned: null, reason: error.message }
  if (!(error instanceof DatabaseError) || error.code === undefined) return null
  if (error.constraint !== undefined && stockChecks.has(error.constraint)) return 'retry'
  return dataFaults.has(error.code.slice(0, 2)) ? { poisoned: error.code, reason: error.message } : null
}

async function insertDeadOrder(pool: Pool, entry: OutboxEntry, sqlstate: string | null, reason: string): Promise<void> {
  await pool.query(
    `insert into dead_orders (sale_id, outbox_id, kind, payment_id, entry, sqlstate, reason)
     values ($1, $2, $3, $4, $5, $6, $7) on conflict (sale_id, outbox_id) do nothing`,
    [saleOf(entry), entry.outboxId, entry.kind === 'unreadable' ? entry.writtenAs : entry.kind, paymentOf(entry), JSON.stringify(entry), sqlstate, reason],
  )
}

/** @returns the sale whose outbox an entry is from; the empty one for money that no sale knows */
function saleOf(entry: OutboxEntry): string {
  if (entry.kind === 'adjusted' || entry.kind === 'unreadable') return entry.saleId
  return entry.order?.saleId ?? parseId('o', entry.payment.orderId)?.saleId ?? ''
}

/** @returns the payment of an entry, where it looks like one: the entry may be here because it does not */
function paymentOf(entry: OutboxEntry): string | null {
  if (entry.kind === 'adjusted') return null
  const paymentId = entry.kind === 'unreadable' ? entry.paymentId : entry.payment.paymentId
  return paymentId !== null && /^[\x21-\x7e]{1,200}$/.test(paymentId) ? paymentId : null
}
