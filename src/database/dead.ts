/**
 * Entries that Postgres refused, set apart with the reason. They are tried again when somebody asks, once what was wrong
 * has been put right: in a row that was missing, or in the entry itself.
 */
import { Value } from '@sinclair/typebox/value'
import { OutboxEntry } from '../outbox.js'
import { judge } from './persist.js'
import { type Connection, inTransaction, type Pool } from './pool.js'
import { UnreadableEntry, writeEntries } from './write.js'

export interface DeadOrder {
  readonly saleId: string
  readonly outboxId: string
  readonly kind: string
  /** Null where the entry did not come as far as Postgres. */
  readonly sqlstate: string | null
  readonly reason: string
  readonly createdAt: Date
}

/** @returns what was set apart, oldest first */
export async function deadOrders(pool: Pool): Promise<DeadOrder[]> {
  const { rows } = await pool.query<DeadOrder>(
    `select sale_id as "saleId", outbox_id as "outboxId", kind, sqlstate, reason, created_at as "createdAt"
       from dead_orders order by created_at, outbox_id`,
  )
  return rows
}

export async function countDeadOrders(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>('select count(*) from dead_orders')
  return rows[0]!.count
}

/**
 * Writes an entry that was set apart, and forgets that it was, in one transaction.
 * @param readAgain reads an entry that could not be read, as it can be read today
 * @returns the entry that was written, or why it is refused still: nothing has changed then
 */
export async function retryDeadOrder(
  pool: Pool,
  { saleId, outboxId }: Pick<DeadOrder, 'saleId' | 'outboxId'>,
  readAgain: (saleId: string, outboxId: string, fields: readonly string[]) => Promise<OutboxEntry>,
): Promise<{ readonly entry: OutboxEntry } | { readonly still: string }> {
  try {
    return await inTransaction(pool, async (connection) => {
      const kept = await takeDeadOrder(connection, saleId, outboxId)
      const entry = kept.kind === 'unreadable' ? await readAgain(saleId, outboxId, kept.fields) : kept
      await writeEntries(connection, [entry])
      return { entry }
    })
  } catch (error) {
    const verdict = judge(error)
    if (verdict === null) throw error
    return { still: verdict === 'retry' ? 'the store has fewer units than were sold' : verdict.reason }
  }
}

/** @throws UnreadableEntry where there is none, or nothing that could be written */
async function takeDeadOrder(connection: Connection, saleId: string, outboxId: string): Promise<OutboxEntry> {
  const { rows } = await connection.query<{ entry: string }>('delete from dead_orders where sale_id = $1 and outbox_id = $2 returning entry', [saleId, outboxId])
  if (!rows[0]) throw new UnreadableEntry('there is no such dead order')
  let entry: unknown
  try {
    entry = JSON.parse(rows[0].entry)
  } catch {
    throw new UnreadableEntry('the entry is not JSON')
  }
  const fault = Value.Check(OutboxEntry, entry) ? null : Value.Errors(OutboxEntry, entry).First()
  if (fault !== null) throw new UnreadableEntry(`the entry is off at ${fault?.path || '/'}`)
  return entry as OutboxEntry
}
