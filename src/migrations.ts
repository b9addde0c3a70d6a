import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { runner } from 'node-pg-migrate'
import { Client } from 'pg'

/** Not there yet, or not ready yet. Anything else (a wrong password, no such database) does not heal by waiting. */
const away = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', '57P03', '57P01'])

/** Beside this file's folder, in the source and in the build alike: the build copies the folder. */
const folder = fileURLToPath(new URL('../migrations/', import.meta.url))

/** Brings a database up to date and returns the names of the migrations that it ran. Safe to run from several processes at once. */
export async function migrate(databaseUrl: string, say: (line: string) => void = () => {}): Promise<string[]> {
  const client = await connect(databaseUrl, say)
  try {
    const ran = await runner({
      dbClient: client,
      dir: folder,
      migrationsTable: 'migrations',
      direction: 'up',
      // The second of two runners waits for the first and then finds nothing to do; by default it would fail.
      advisoryLockMode: 'wait',
      logger: { debug: () => {}, info: () => {}, warn: say, error: say },
    })
    const names = ran.map(({ name }) => name)
    say(names.length === 0 ? 'The database is up to date.' : `The database is brought up to date: ${names.join(', ')}.`)
    return names
  } finally {
    await client.end()
  }
}

/** Waits for a Postgres that is away, as every process does. */
async function connect(databaseUrl: string, say: (line: string) => void): Promise<Client> {
  for (let said = false; ; said = true) {
    const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 })
    // A server that stops under the connection must not end the process by itself; the statement tells.
    client.on('error', () => {})
    try {
      await client.connect()
      return client
    } catch (error) {
      await client.end().catch(() => {})
      const { code, message } = error as NodeJS.ErrnoException
      const waits = away.has(code ?? '') || /timeout|terminated unexpectedly/i.test(message)
      if (!waits) throw error
      if (!said) say(`Waiting for Postgres (${code ?? message}).`)
      await delay(250)
    }
  }
}
