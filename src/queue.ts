/**
 * The queue that carries work to the workers. It only carries: a persist job names a range of an outbox, and whatever becomes of
 * the job, the outbox keeps its entries until Postgres has them; a certify job names a sale that is closed.
 */
import { Value } from '@sinclair/typebox/value'
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { CertifyJob, PersistJob } from './outbox.js'

export const queueName = 'persist'
/** One slot of a Redis Cluster for all of the queue's keys. */
export const prefix = 'fs:{queue}'
/** Pause between two attempts at a job, in milliseconds: Postgres may be away for long. */
const retryMs = 1_000
/** Attempts at one job; after them the outbox hands its entries out again. */
const attempts = 1_000
/** Failed jobs that are kept for operators to see. */
const failedKept = 1_000
/** How long a job of a worker that died stays with it, in milliseconds. */
const lockMs = 10_000
/** Jobs that one worker process runs at once: one is read and one is made ready while Postgres writes another. */
const concurrency = 3

/** BullMQ waits for a Redis that is away; a job that is added twice has one id. */
const openConnection = (redisUrl: string) => new Redis(redisUrl, { maxRetriesPerRequest: null })

export interface WorkQueue {
  /** Adds a job; one with the same id is added once. `turn` tells the ids of ranges handed out again. */
  add(job: PersistJob, turn?: number): Promise<void>
  /** Has a closed sale certified. */
  addCertificate(saleId: string): Promise<void>
  /** @returns the persist jobs that wait or are being worked on */
  carried(): Promise<PersistJob[]>
  close(): Promise<void>
}

export function openWorkQueue(redisUrl: string, onError: (error: Error) => void): WorkQueue {
  const connection = openConnection(redisUrl)
  connection.on('error', onError)
  const queue = new Queue<PersistJob | CertifyJob>(queueName, {
    connection,
    prefix,
    // The engine's own connection has found this Redis fit, and said so in one line where it is not.
    skipVersionCheck: true,
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
    async addCertificate(saleId) {
      await queue.add('certify', { certify: saleId }, { jobId: `certify.${saleId}` })
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

export interface JobWorker {
  /** Finishes what is being worked on, and takes nothing more. */
  close(): Promise<void>
}

/** What becomes of each kind of job. Either throws for one that must be tried again. */
export interface JobHandlers {
  persist(job: PersistJob): Promise<void>
  certify(saleId: string): Promise<void>
}

/** Works on jobs until closed. */
export function startJobWorker(
  redisUrl: string,
  { persist, certify }: JobHandlers,
  onError: (error: Error) => void,
): JobWorker {
  const connection = openConnection(redisUrl)
  connection.on('error', onError)
  const worker = new Worker<unknown>(queueName, async ({ data }) => {
    if (Value.Check(CertifyJob, data)) await certify(data.certify)
    else if (Value.Check(PersistJob, data)) await persist(data)
    else throw new TypeError('a job names neither a range of an outbox nor a sale')
  }, { connection, prefix, concurrency, lockDuration: lockMs, stalledInterval: lockMs / 2, skipVersionCheck: true })
  worker.on('error', onError)
  worker.on('failed', (_job, error) => onError(error))
  return {
    async close() {
      // Without its Redis it would wait for an answer that does not come; what it was at is handed out again.
      await worker.close(connection.status !== 'ready')
      connection.disconnect()
    },
  }
}
