import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { birthOf, endProcess } from './servers/processes.js'

/**
 * What Node is told for an API process, as `npm run api` says it: how large, in MiB, the heap of what is new may become. Each of
 * its collections copies all that the requests in flight have made, so fewer of them cost less.
 */
export const apiFlags: readonly string[] = ['--max-semi-space-size=64']

/** The build, whose processes these are: this file is in `src/cli` of it. */
const build = new URL('../../', import.meta.url)

export interface OwnProcess {
  name: string
  pid: number
  /** What its command line holds. */
  mark: string
  /** How it ended, for people; resolves when it does. */
  ended: Promise<{ code: number | null; how: string }>
  stop(boundMs: number): Promise<void>
}

/** Starts one of the built processes; each of its lines is shown behind its name. */
export async function startProcess(name: string, script: string, env: NodeJS.ProcessEnv, flags: readonly string[], say: (line: string) => void): Promise<OwnProcess> {
  const mark = fileURLToPath(new URL(script, build))
  // A group of its own: a Ctrl-C in the terminal reaches only the launcher, which ends everything in the right order.
  const child = spawn(process.execPath, ['--enable-source-maps', ...flags, mark], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<{ code: number | null; how: string }>((done) => {
    child.on('error', (error) => done({ code: 1, how: error.message }))
    child.on('close', (code, signal) => done({ code, how: signal ?? `code ${code}` }))
  })
  show(child, name, say)
  const pid = child.pid
  if (pid === undefined) throw new Error(`${name} could not be started: ${(await ended).how}`)
  const born = (await birthOf(pid)) ?? 'gone'
  return { name, pid, mark, ended, stop: (boundMs) => endProcess({ pid, born }, 'SIGTERM', boundMs) }
}

function show(child: ChildProcess, name: string, say: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => say(`${name} | ${line}`))
  }
}
