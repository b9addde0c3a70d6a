/**
 * The queue as an operator looks at it: nothing can be changed there. A job that is gone is put again from the outbox, and one
 * that fails is tried again by itself, so there is nothing to be done by hand; a queue that somebody paused would hold up every order.
 */
import type { BaseAdapter } from '@bull-board/api/baseAdapter'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { Value } from '@sinclair/typebox/value'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { CertifyJob, PersistJob } from './outbox.js'
import { prefix, queueName } from './queue.js'
import { within } from './within.js'

/** A command to Redis, and how long to wait for its connection, in ms. */
const commandMs = 1_000

export interface QueueBoard {
  readonly adapter: BaseAdapter
  /** @throws where Redis is away */
  ready(): Promise<void>
  close(): Promise<void>
}

export function openQueueBoard(redisUrl: string, onError: (error: Error) => void): QueueBoard {
  // It fails at once where Redis is away: somebody looks at a page.
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: commandMs, connectTimeout: commandMs })
  connection.on('error', onError)
  // Looking at the queue writes nothing.
  const queue = new Queue<unknown>(queueName, { connection, prefix, skipVersionCheck: true, skipMetasUpdate: true })
  queue.on('error', onError)
  const adapter = new BullMQAdapter(queue, { readOnlyMode: true, displayName: 'Orders to Postgres' })
  // A job names a range of an outbox or a sale. Whatever else a job may come to hold is not shown before somebody has thought of it.
  adapter.setFormatter('data', (data: unknown) => (Value.Check(PersistJob, data) || Value.Check(CertifyJob, data) ? data : 'not shown'))
  adapter.setFormatter('returnValue', () => null)
  return {
    adapter,
    async ready() {
      await within(commandMs, queue.waitUntilReady().then(() => connection.ping()))
    },
    async close() {
      await queue.close()
      connection.disconnect()
    },
  }
}
