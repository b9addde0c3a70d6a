/**
 * The worker process: relay, persist, sweep and payment attempts, each in a loop of its own. Any number of these
 * processes work side by side; none of them is on the way of a customer's request.
 */
import closeWithGrace from 'close-with-grace'
import { readSettings, SettingsError } from '../src/config.js'
import { openDatabase } from '../src/database.js'
import { connect, createEngine, openReplicas, UnfitRedisError } from '../src/engine/engine.js'
import type { Shard } from '../src/keys.js'
import { createLogger } from '../src/log.js'
import type { PersistJob } from '../src/outbox.js'
import { createSandbox } from '../src/payments/sandbox.js'
import { type JobWorker, openWorkQueue, startJobWorker, type WorkQueue } from '../src/queue.js'
import { askAboutAttempts } from './attempts.js'
import { createAudits } from './audit.js'
import { certifyClosed } from './certify.js'
import { createAttempts, type Loop, startLoop } from './loop.js'
import { persist } from './persist.js'
import { redeliver, relay } from './relay.js'
import { type ClosedSales, createRounds, resume, sweep } from './sweep.js'

/** Pauses between turns, in milliseconds. */
const busyMs = 5
/** What is paid in the meantime is one job: a job and its transaction have a price, whatever they carry. */
const relayMs = 50
const redeliverMs = 5_000
const sweepMs = 500
const askMs = 500
const resumeMs = 5_000
const heartbeatMs = 5_000
/** How long a drain may take before the process ends all the same. */
const drainMs = 15_000

function start(): void {
  const settings = readSettings('worker', process.env)
  const log = createLogger(settings.logLevel)
  const warn = (err: Error) => log.warn({ err }, 'a connection or a job failed, and will be tried again')

  const redis = { url: settings.redisUrl, durability: settings.redisDurability, log, onUnfit: (error: Error) => refuse(error) }
  const connection = connect(redis)
  const replicas = openReplicas(settings.redisReplicas, redis)
  const database = openDatabase(settings.databaseUrl, warn)
  const engine = createEngine({ connection, replicas, nothingPublished: async () => !(await database.anySale()) })
  const provider = createSandbox(() => connection.usable(), {
    production: settings.production,
    warn: (message) => log.warn(message),
  })
  const closed: ClosedSales = new Set()

  const loops: Loop[] = []
  let queue: WorkQueue | undefined
  let jobs: JobWorker | undefined

  /** A loop through the shards of all sales. */
  function throughSales(name: string, waitMs: number, turn: (shard: Shard) => Promise<number | void>, soonMs = waitMs): void {
    const round = createRounds(engine, closed)
    const attempt = createAttempts(name, log)
    loops.push(startLoop(name, log, async () => {
      let moved = 0
      await Promise.all((await round()).map((shard) => attempt(shard, async () => {
        moved += (await turn(shard)) ?? 0
      })))
      return moved > 0 ? soonMs : waitMs
    }))
  }

  async function begin(): Promise<void> {
    // Waits for a Redis that is away and has been found fit; Postgres is waited for job by job.
    await connection.ready
    const work = openWorkQueue(settings.redisUrl, warn)
    queue = work
    const persistNow = (job: PersistJob) => persist({ engine, database, provider, log }, job)
    jobs = startJobWorker(settings.redisUrl, { persist: persistNow, certify: (saleId) => certifyClosed(engine, database, saleId) }, warn)
    loops.push(startLoop('heartbeat', log, async () => {
      await engine.heartbeat()
      return heartbeatMs
    }))
    loops.push(startLoop('resume', log, async () => {
      await resume(engine, database, log)
      return resumeMs
    }))
    throughSales('relay', relayMs, (shard) => relay(engine, work, shard, persistNow))
    throughSales('redeliver', redeliverMs, (shard) => redeliver(engine, work, log, shard, persistNow))
    throughSales('sweep', sweepMs, (shard) => sweep(engine, database, closed, shard, work.addCertificate))
    throughSales('attempts', askMs, async (shard) => (await askAboutAttempts(engine, provider, log, shard)).count, busyMs)
    loops.push(startLoop('audit', log, createAudits(engine, database, log, closed)))
    log.info('the worker is at work')
  }
  void begin()

  closeWithGrace({ delay: drainMs, logger: log }, async ({ err }) => {
    if (err) log.fatal({ err }, 'the worker ends on a fault')
    await Promise.all(loops.map((loop) => loop.stop()))
    await jobs?.close()
    await queue?.close()
    await database.close()
    connection.close()
    replicas?.connection.close()
  })
}

/** One line, and the end: nothing here gets better by trying again. */
function refuse(error: Error): never {
  console.error(`flash-sale worker: ${error.message}`)
  process.exit(1)
}

try {
  start()
} catch (error) {
  if (error instanceof SettingsError || error instanceof UnfitRedisError) refuse(error)
  throw error
}
