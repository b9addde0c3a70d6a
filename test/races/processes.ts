/**
 * The built processes, started as an operator starts them, on free ports. Each ends with its test, by its own number.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

/** How long anything here may take before its test fails, in milliseconds. */
const boundMs = 30_000
const pollMs = 20

export const adminToken = 'operator'
export const webhookSecret = 'provider'

/** What a process is told of its stores. */
export interface Stores {
  readonly redisUrl: string
  readonly databaseUrl: string
}

export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Running {
  readonly pid: number
  /** What it has written, stdout and stderr. */
  readonly lines: readonly string[]
  readonly ended: Promise<End>
  /** Resolves with the first line that matches. @throws where the process ends without it */
  said(pattern: RegExp): Promise<string>
  kill(signal: NodeJS.Signals): void
  /** SIGTERM, and its end. */
  stop(): Promise<End>
}

export interface Api extends Running {
  readonly url: string
}

/** Asks again until `probe` gives something other than null or false. @throws after half a minute */
export async function until<T>(what: string, probe: () => Promise<T | null | false>, withinMs = boundMs): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const found = await probe()
    if (found !== null && found !== false) return found
    if (performance.now() > deadline) throw new Error(`after ${withinMs / 1000} s still not: ${what}`)
    await delay(pollMs)
  }
}

/** Starts an API process. @returns it once it listens, whether or not it can serve yet */
export async function startApi(t: Test, stores: Stores, settings: NodeJS.ProcessEnv = {}): Promise<Api> {
  const secrets = { ADMIN_TOKEN: adminToken, PAYMENT_WEBHOOK_SECRET: webhookSecret }
  const running = startProcess(t, 'src/api.js', stores, { PORT: '0', ...secrets, ...settings })
  const line = await running.said(/Server listening at http/)
  return { ...running, url: /http:\/\/[\d.:]+/.exec(line)![0] }
}

/** Starts a worker process. */
export function startWorker(t: Test, stores: Stores, settings: NodeJS.ProcessEnv = {}): Running {
  return startProcess(t, 'workers/worker.js', stores, settings)
}

export const atWork = (worker: Running): Promise<string> => worker.said(/the worker is at work/)

/** Starts one of the built processes. */
export function startProcess(t: Test, script: string, { redisUrl, databaseUrl }: Stores, settings: NodeJS.ProcessEnv = {}, args: readonly string[] = []): Running {
  const file = fileURLToPath(new URL(`../../dist/${script}`, import.meta.url))
  const child = spawn(process.execPath, [file, ...args], {
    env: { PATH: process.env['PATH'], LOG_LEVEL: 'info', ...settings, REDIS_URL: redisUrl, DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', (line) => lines.push(line))
  let over = false
  const ended = once(child, 'close').then(([code, signal]): End => {
    over = true
    return { code: code as number | null, signal: signal as NodeJS.Signals | null }
  })
  t.teardown(async () => {
    if (over) return
    child.kill('SIGKILL')
    await ended
  })
  return {
    pid: child.pid!,
    lines,
    ended,
    said: (pattern) => until(`${script} said ${pattern}`, async () => {
      const line = lines.find((candidate) => pattern.test(candidate))
      if (line === undefined && over) throw new Error(`${script} ended without saying ${pattern}:\n${lines.join('\n')}`)
      return line ?? null
    }),
    kill: (signal) => void child.kill(signal),
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}
