/**
 * Several API processes on one port: a process that serves nothing itself, starts them, and starts another one where one has
 * died. They share nothing but the port; what they decide is decided in Redis.
 */
import cluster, { type Worker } from 'node:cluster'
import { AggregatorRegistry, type Registry, type RegistryContentType } from 'prom-client'
import type { Logger } from './log.js'

/** How long to wait before one that never came to listen is started again, in ms: whatever ended it may go on for a while. */
const pauseMs = 1_000
/** What the processes are given on top of their own bound before they are killed, in ms. */
const graceMs = 1_000

/** What one of the processes tells the first. */
interface Told {
  /** Nothing that starting again would put right: its line is the last one of all of them. */
  readonly stop?: string
  /** Somebody scrapes: the metrics of all are wanted. */
  readonly scrape?: number
}
/** What it is told back. */
interface Scraped {
  readonly scraped?: number
  /** Null where they could not be had. */
  readonly text?: string | null
}

export interface ProcessesOptions {
  readonly count: number
  /** How long each may take to drain, in ms. */
  readonly drainMs: number
  readonly log: Logger
}

/** Runs until a signal has come and all of them have drained; then the process ends, with 0 where each of them did. */
export function runProcesses({ count, drainMs, log }: ProcessesOptions): void {
  // Each takes its connections from the system itself. Handed out by this process, one that is on its way to a process that
  // dies would stay open, and whoever made it would wait for ever: seen once in each of some 15 kills amid new connections.
  cluster.schedulingPolicy = cluster.SCHED_NONE
  const listening = new Set<Worker>()
  const metrics = new AggregatorRegistry()
  let ending = false
  let code = 0

  const living = () => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
  function end(): void {
    if (ending) return
    ending = true
    for (const worker of living()) worker.process.kill('SIGTERM')
    setTimeout(() => {
      for (const worker of living()) worker.process.kill('SIGKILL')
    }, drainMs + graceMs).unref()
    endOnceAlone()
  }
  function endOnceAlone(): void {
    if (living().length === 0) process.exit(code)
  }
  const start = () => {
    if (!ending) cluster.fork()
  }

  // Under npm a signal arrives twice, and a terminal's reaches the processes as well: all but the first change nothing.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!ending) log.info({ signal, processes: living().length }, 'draining all processes')
      end()
    })
  }
  cluster.on('listening', (worker) => listening.add(worker))
  cluster.on('message', (worker, told: Told) => {
    if (told.stop !== undefined) {
      if (code === 0 && !ending) console.error(told.stop)
      code = 1
      end()
    }
    if (told.scrape !== undefined) void answerScrape(metrics, worker, told.scrape)
  })
  cluster.on('exit', (worker, exitCode, signal) => {
    const listened = listening.delete(worker)
    if (ending) {
      // A signal ends one that has not yet come as far as to drain.
      if (exitCode !== 0 && signal !== 'SIGTERM') code = 1
      endOnceAlone()
      return
    }
    log.error({ process: worker.process.pid, how: signal || `code ${exitCode}` }, 'an API process has ended, and is started again')
    if (listened) start()
    else setTimeout(start, pauseMs)
  })
  for (let i = 0; i < count; i += 1) start()
}

async function answerScrape(metrics: AggregatorRegistry<RegistryContentType>, worker: Worker, scraped: number): Promise<void> {
  // One that dies meanwhile does not answer.
  const text = await metrics.clusterMetrics().catch(() => null)
  if (worker.isConnected()) worker.send({ scraped, text } satisfies Scraped)
}

/** Whether this process is one of several. */
export const isOneOfSeveral = (): boolean => cluster.isWorker

/** For one of several: has the first one say why none of them can go on. */
export async function stopAll(line: string): Promise<void> {
  await new Promise((sent) => cluster.worker?.send({ stop: line } satisfies Told, sent))
}

/** For one of several. @returns how to read the metrics of all of them, this one's `own` included */
export function metricsOfAll(own: Registry<RegistryContentType>): () => Promise<string> {
  AggregatorRegistry.setRegistries(own)
  // It answers when the first process asks, from when it is made.
  const { contentType } = new AggregatorRegistry()
  own.setContentType(contentType)
  const waiting = new Map<number, (text: string | null) => void>()
  let scrapes = 0
  process.on('message', (told: Scraped) => {
    if (told.scraped === undefined) return
    waiting.get(told.scraped)?.(told.text ?? null)
    waiting.delete(told.scraped)
  })
  return async () => {
    const scrape = scrapes++
    const text = await new Promise<string | null>((resolve) => {
      waiting.set(scrape, resolve)
      cluster.worker?.send({ scrape } satisfies Told)
    })
    if (text === null) throw new Error('the metrics of all processes could not be read in time')
    return text
  }
}
