/**
 * The queue that carries paid orders to the persist workers. It only carries: a job names a range of an outbox, and
 * whatever becomes of the job, the outbox keeps its entries until Postgres has them.
 */
import { Value } from '@sinclair/typebox/value'
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { PersistJob } from './outbox.js'

const queueName = 'persist'
/** One slot of a Redis Cluster for all of the queue's keys. */
const prefix = 'fs:{queue}'
/** Pause between two attempts at a job, in milliseconds: Postgres may be away for long. */
const retryMs = 1_000
/** Attempts at one job; after them the outbox hands its entries out again. */
const attempts = 1_000
/** Failed jobs that are kept for operators to see. */
const failedKept = 1_000
/** How long a job of a worker that died stays with it, in milliseconds. */
const lockMs = 10_000
/** Jobs that one worker process runs at once: one writes while another reads. */
const concurrency = 2

/** BullMQ waits for a Redis that is away; a job that is added twice has one id. */
const openConnection = (redisUrl: string) => new Redis(redisUrl, { maxRetriesPerRequest: null })

export interface PersistQueue {
  /** Adds a job; one with the same id is added once. `turn` tells the ids of ranges handed out again. */
  add(job: PersistJob, turn?: number): Promise<void>
  /** @returns the jobs that wait or are being worked on */
  carried(): Promise<PersistJob[]>
  close(): Promise<void>
}

export function openPersistQueue(redisUrl: string, onError: (error: Error) => void): PersistQueue {
  const connection = openConnection(redisUrl)
  connection.on('error', onError)
  const queue = new Queue<PersistJob>(queueName, {
    connection,
    prefix,
    defaultJobOptions: {
      attempts,
      backoff: { type: 'fixed', delay: retryMs },
      removeOnComplete: true,
      removeOnFail: { count: failedKept },
    },
  })
  queue.on('error', onError)
  return {
    async add(job, turn = 0) {
      // Not one that looks like a number, and no colon: BullMQ refuses both.
      await queue.add('persist', job, { jobId: `${job.saleId}.${job.shard}.${job.first}.${turn}` })
    },
    async carried() {
      const jobs = await queue.getJobs(['waiting', 'active', 'delayed', 'prioritized'])
      // A job can end between being listed and being read.
      return jobs.flatMap((job) => (job && Value.Check(PersistJob, job.data) ? [job.data] : []))
    },
    async close() {
      await queue.close()
      connection.disconnect()
    },
  }
}

export interface PersistWorker {
  /** Finishes what is being worked on, and takes nothing more. */
  close(): Promise<void>
}

/** Works on jobs until closed; `persist` throws for a job that must be tried again. */
export function startPersistWorker(
  redisUrl: string,
  persist: (job: PersistJob) => Promise<void>,
  onError: (error: Error) => void,
): PersistWorker {
  const connection = openConnection(redisUrl)
  connection.on('error', onError)
  const worker = new Worker<PersistJob>(queueName, async (job) => {
    if (!Value.Check(PersistJob, job.data)) throw new TypeError('a persist job names no range of an outbox')
    await persist(job.data)
  }, { connection, prefix, concurrency, lockDuration: lockMs, stalledInterval: lockMs / 2 })
  worker.on('error', onError)
  worker.on('failed', (_job, error) => onError(error))
  return {
    async close() {
      await worker.close()
      connection.disconnect()
    },
  }
}
