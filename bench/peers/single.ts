/**
 * What batches are compared with: one job and one transaction an order, in a process of its own. Each transaction makes the
 * very inserts that a batch makes for one order.
 *
 * Arguments: Redis' URL, Postgres' URL, the queue, jobs at once.
 */
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { openDatabase } from '../../src/database.js'
import type { OutboxEntry } from '../../src/outbox.js'

const [redisUrl = '', databaseUrl = '', queue = '', concurrency] = process.argv.slice(2)
const database = openDatabase(databaseUrl)
const worker = new Worker<OutboxEntry>(queue, async ({ data }) => {
  const [outcome] = await database.persist([data])
  if (outcome !== 'persisted') throw new Error(`an order was not persisted: ${JSON.stringify(outcome)}`)
}, { connection: new Redis(redisUrl, { maxRetriesPerRequest: null }), concurrency: Number(concurrency) })
worker.on('error', (error) => console.error(error))
worker.on('failed', (_job, error) => console.error(error))
process.on('disconnect', () => process.exit())
