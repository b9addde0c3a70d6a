/**
 * A database of its own for a test file, on the server that DATABASE_URL names; it goes with the test.
 */
import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import type { Test } from 'tap'
import { migrate } from '../src/migrations.js'

/** @returns the URL of a new database, brought up to date */
export async function freshDatabase(t: Test): Promise<string> {
  const url = await emptyDatabase(t)
  await migrate(url)
  return url
}

/** @returns the URL of a new database with nothing in it */
export async function emptyDatabase(t: Test): Promise<string> {
  const server = process.env['DATABASE_URL']
  if (!server) throw new Error('DATABASE_URL must name a Postgres server on which databases can be made')
  const name = `test_${randomBytes(8).toString('hex')}`
  await runOn(server, `create database ${name}`)
  // Forced: a process that a test has killed may still have connections there.
  t.teardown(() => runOn(server, `drop database ${name} with (force)`))
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** Runs one statement on a connection of its own. @returns its rows */
export async function runOn<Row extends object>(databaseUrl: string, statement: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return (await client.query<Row>(statement, values)).rows
  } finally {
    await client.end()
  }
}
