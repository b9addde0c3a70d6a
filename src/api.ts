/**
 * The API process: settings → clients → app → listen. It listens at once, whether or not Redis and Postgres are
 * there yet; `readyz` says when it can serve. SIGTERM and SIGINT drain it. With API_PROCESSES it is several, on one port.
 */
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.js'
import { type ApiSettings, readSettings, SettingsError } from './config.js'
import { openDatabase } from './database.js'
import { connect, createEngine, openReplicas } from './engine/engine.js'
import { createLogger } from './log.js'
import { createMetrics } from './metrics.js'
import { createSandbox } from './payments/sandbox.js'
import { isOneOfSeveral, metricsOfAll, runProcesses, stopAll } from './primary.js'

/** How long a drain may take, in ms: a request may still arrive for eight seconds, and be answered within three. */
const drainMs = 12_000
/** What asks a process to end; where it is one of several, some of them come twice. */
const endSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** Ends the process on something that only an operator can put right: one line, and no stack. Where it is one of several, all end. */
async function stop(line: string): Promise<never> {
  if (isOneOfSeveral()) await stopAll(line)
  else console.error(line)
  process.exit(1)
}

async function main(): Promise<void> {
  const settings = readSettings('api')
  if (settings.processes === 1 || isOneOfSeveral()) await serve(settings)
  else runProcesses({ count: settings.processes, drainMs, log: createLogger(settings.logLevel) })
}

async function serve(settings: ApiSettings): Promise<void> {
  const log = createLogger(settings.logLevel)
  const metrics = createMetrics(isOneOfSeveral() ? metricsOfAll : undefined)
  metrics.watchProcess()

  const database = openDatabase(settings.databaseUrl, (error) => log.warn({ err: error }, 'a connection to Postgres broke'))
  const redis = { url: settings.redisUrl, durability: settings.redisDurability, log, onUnfit: (error: Error) => void stop(error.message) }
  const connection = connect(redis)
  const replicas = openReplicas(settings.redisReplicas, redis)
  const engine = createEngine({
    connection,
    replicas,
    nothingPublished: async () => !(await database.anySale()),
    onBatch: metrics.batch,
  })
  const provider = createSandbox(connection.usable, { production: settings.production, warn: (message) => log.warn(message) })
  const openBoard = async () => {
    // Loaded when somebody looks: the API itself has no use for a queue.
    const { openQueueBoard } = await import('./queue-board.js')
    return openQueueBoard(settings.redisUrl, (error) => log.warn({ err: error }, 'the connection to the queue broke'))
  }
  const app = await buildApp({ engine, database, provider, settings, logger: log, metrics, openBoard })

  // It is not needed to serve; but whoever has mistyped its URL hears so now.
  database.anySale().catch((error: unknown) => log.warn({ err: error }, 'Postgres cannot be used yet'))

  const several = isOneOfSeveral()
  const logger = { error: (fault: unknown) => log.error({ err: fault }, 'the drain did not end well') }
  const grace = closeWithGrace({ delay: drainMs, logger, skip: several ? [...endSignals] : [] }, async ({ err, signal }) => {
    if (err) log.fatal({ err }, 'a fault that nobody expected')
    else log.info({ signal }, 'draining')
    // First the app, which answers what is in flight; it needs its stores for that.
    await app.close()
    connection.close()
    replicas?.connection.close()
    await database.close()
  })
  // A terminal and a supervisor signal every process, and so does the first of several: the same drain, whoever asks for it again.
  let draining: unknown
  if (several) for (const signal of endSignals) process.on(signal, () => { draining ??= grace.close() })

  try {
    await app.listen({ host: settings.host, port: settings.port })
  } catch (error) {
    if (error instanceof Error && 'code' in error) {
      if (error.code === 'EADDRINUSE') return stop(`PORT: ${settings.port} on ${settings.host} is taken by another process`)
      if (error.code === 'EACCES') return stop(`PORT: this user may not listen on ${settings.port}`)
      return stop(`HOST: ${settings.host} is no address that this machine can listen on (${String(error.code)})`)
    }
    throw error
  }
}

try {
  await main()
} catch (error) {
  await stop(error instanceof SettingsError ? error.message : `The API could not start: ${error instanceof Error ? error.message : String(error)}`)
}
