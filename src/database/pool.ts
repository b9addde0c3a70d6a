/**
 * The way to Postgres: connections, transactions, and what an error means. Every wait is bounded.
 */
import { DatabaseError, Pool, type PoolClient, types } from 'pg'
import { isRefusal } from '../problems.js'

export { DatabaseError, type Pool }
/** What a query can be sent through: any connection, or the one of a transaction. */
export type Connection = Pool | PoolClient

/** Postgres cannot be reached, or does not answer in time. What was being written may or may not be there. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable'
}

const connectMs = 2_000
const statementMs = 10_000
const maxConnections = 10
/** The type of bigint columns in Postgres' catalogue. */
const int8 = 20

function safeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`a bigint of Postgres is no exact number: ${text}`)
  return value
}

/** @param onError told of connections that broke while nothing ran on them */
export function openPool(databaseUrl: string, onError: (error: Error) => void): Pool {
  const pool = new Pool({
    connectionString: databaseUrl,
    max: maxConnections,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    // A process that hangs in a transaction would keep its rows locked for everybody.
    idle_in_transaction_session_timeout: statementMs,
    // A server whose host has vanished never answers, not even that the statement timed out.
    query_timeout: statementMs + connectMs,
    keepAlive: true,
    pipeline: true,
    types: {
      getTypeParser: (type: number, format?: 'text' | 'binary') =>
        type === int8 && format !== 'binary' ? safeInteger : types.getTypeParser(type, format as 'text'),
    },
  })
  pool.on('error', onError)
  // The pool stops listening to a connection that it has lent, and one that breaks between two statements
  // of a transaction would then end the process.
  pool.on('connect', (client) => client.on('error', onError))
  return pool
}

/**
 * Runs `work` in one transaction, which a refusal or an error undoes.
 * @throws whatever `work` throws
 */
export async function inTransaction<T>(pool: Pool, work: (connection: Connection) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken = false
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query(isRefusal(result) ? 'rollback' : 'commit')
    return result
  } catch (error) {
    // A connection that may not answer any more is thrown away, and Postgres rolls back for it.
    broken = isPassing(error) || !(await rollBack(client))
    throw error
  } finally {
    client.release(broken)
  }
}

/** A statement with a name, so that a connection plans it once. */
export interface Statement {
  readonly name: string
  readonly text: string
  readonly values: Buffer[]
}

/**
 * Sends statements of one transaction without waiting in between, in their order; those that are null are nothing to do.
 * Postgres on another machine would otherwise have locked rows wait for the way there and back.
 * @throws what Postgres says of the first that it refuses; it does none of those after it
 */
export async function sendTogether(connection: Connection, statements: readonly (Statement | null)[]): Promise<void> {
  // Each waits for those before it, and has its own time beside theirs.
  const query_timeout = statements.length * statementMs + connectMs
  const patient = statements.flatMap((statement) => (statement === null ? [] : [{ ...statement, query_timeout }]))
  await Promise.all(patient.map((statement) => connection.query(statement)))
}

/** @returns whether the connection is fit for use again */
function rollBack(client: PoolClient): Promise<boolean> {
  return client.query('rollback').then(() => true, () => false)
}

/** Classes of SQLSTATE in which a retry may go well: connection, resources, operator, rollback, idle for too long. */
const passing = new Set(['08', '25', '40', '53', '57', '58'])

/**
 * @returns what `query` returns
 * @throws DatabaseUnavailable where Postgres could not be reached or did not get to an end; every other fault as it is
 */
export async function reaching<T>(query: Promise<T>): Promise<T> {
  try {
    return await query
  } catch (error) {
    if (isPassing(error)) throw new DatabaseUnavailable('Postgres cannot be reached or does not answer', { cause: error })
    throw error
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof DatabaseError) return passing.has(error.code?.slice(0, 2) ?? '')
  // What the driver throws by itself (refused, reset, timed out, terminated) are plain errors; faults of ours have a class.
  return error instanceof AggregateError || (error instanceof Error && error.constructor === Error)
}
