import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, stat } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { endProcess, isAlive } from './processes.js'
import { type Started, stopBoundMs } from './record.js'
import { type Program, ServersError, type Surroundings } from './surroundings.js'

/** How long a server may read its files before it answers: a big append-only file takes its time. */
const readyWithinMs = 60_000
const keptLogBytes = 10_000_000

export interface Launch {
  name: string
  program: Program
  /** The server's working folder, its own. */
  cwd: string
  args: (port: number) => string[]
  marks: (port: number) => string[]
  signal: NodeJS.Signals
  /** Null when it serves, else why not yet. */
  answers: (port: number) => Promise<string | null>
}

export interface Launched {
  port: number
  stop(): Promise<void>
}

/** Starts a server on a free port of this machine's loopback, and waits until it serves. */
export async function launch(plan: Launch, around: Surroundings): Promise<Launched> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await launchOn(await freePort(), plan, around)
    if (typeof outcome !== 'string') return outcome
    // Another process may have taken the port since it was found free: only then is a second try worth it.
    if (attempt === 3 || !/address already in use/i.test(outcome)) throw new ServersError(`${plan.name} did not start: ${outcome}`)
  }
}

async function launchOn(port: number, plan: Launch, around: Surroundings): Promise<Launched | string> {
  const { folder, user, claim, say, signal } = around
  const logPath = join(folder, `${plan.name.toLowerCase()}.log`)
  const size = await stat(logPath).then((found) => found.size, () => 0)
  const flags = size > keptLogBytes ? 'w' : 'a'
  const from = flags === 'w' ? 0 : size
  const log = await open(logPath, flags, 0o600)
  // Detached: a Ctrl-C in the terminal goes to its whole foreground group, and the servers must outlive those they serve.
  const child = spawn(plan.program.file, plan.args(port), { cwd: plan.cwd, env: plan.program.env, detached: true, stdio: ['ignore', log.fd, log.fd], ...user })
  let failure: Error | null = null
  child.on('error', (error) => (failure = error))
  await log.close()
  if (child.pid === undefined) {
    await delay(0)
    return String(failure)
  }
  const started: Started = await claim.remember(plan.name, child.pid, plan.marks(port), plan.signal)
  const lastLine = async () => {
    const text = (await readFile(logPath)).subarray(from).toString().trim()
    return `${text.split('\n').at(-1) || 'it ended without a word'} (${logPath})`
  }

  let stopping = false
  const stop = async () => {
    stopping = true
    await endProcess(started, plan.signal, stopBoundMs)
  }
  const deadline = performance.now() + readyWithinMs
  for (let why: string | null = 'not asked yet'; ; await delay(40)) {
    if (signal?.aborted) {
      await stop()
      throw signal.reason
    }
    if (!(await isAlive(started))) {
      const text = (await readFile(logPath)).subarray(from).toString()
      return /address already in use/i.test(text) ? 'address already in use' : lastLine()
    }
    why = await plan.answers(port)
    // Asked once more whether it lives: the answer may have come from a stranger who has the port.
    if (why === null && (await isAlive(started))) break
    if (performance.now() > deadline) {
      await stop()
      return `it does not serve after ${readyWithinMs / 1000} s: ${why}`
    }
  }
  child.once('exit', (code, by) => {
    if (!stopping) say(`${plan.name} (process ${started.pid}) ended by itself (${by ?? code}): see ${logPath}. Its data is kept; start again.`)
  })
  return { port, stop }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
