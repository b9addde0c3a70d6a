/**
 * The processes of a run: the built ones that are measured, and the bench's own. Each is ended by its own id, and ends by
 * itself when the bench is gone where it has a channel to notice that.
 */
import { type ChildProcess, execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** How long a process may take to drain before it is killed, in ms. */
const drainMs = 15_000

const root = new URL('../', import.meta.url)
const execute = promisify(execFile)

export interface Running {
  readonly pid: number
  /** @throws once the process ends, before `stop` is called or after: for races with what needs it alive */
  readonly ended: Promise<never>
  stop(): Promise<void>
}

/** Starts a process of the build, as `npm run api` and `npm run worker` do. Its output is the bench's. */
export function startBuilt(script: string, env: NodeJS.ProcessEnv, flags: readonly string[] = []): Running {
  const file = fileURLToPath(new URL(`dist/${script}`, root))
  return running(script, spawn(process.execPath, [...flags, file], { env, stdio: ['ignore', 'inherit', 'inherit'] }))
}

/** Runs a command of the build to its end. @returns how long it took, its start included, and what it said @throws where it fails */
export async function runBuilt(script: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<{ seconds: number; said: string }> {
  const file = fileURLToPath(new URL(`dist/${script}`, root))
  const started = performance.now()
  const { stdout } = await execute(process.execPath, [file, ...args], { env })
  return { seconds: (performance.now() - started) / 1_000, said: stdout }
}

/** Starts a process of the bench's own, with a channel for messages. */
export function startOwn(file: string, args: readonly string[] = [], flags: readonly string[] = []): Running & { readonly child: ChildProcess } {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv: [...process.execArgv, ...flags] })
  return { ...running(file, child), child }
}

function running(name: string, child: ChildProcess): Running {
  if (child.pid === undefined) throw new Error(`${name} could not be started`)
  const exit = once(child, 'exit')
  const ended = exit.then(([code, signal]): never => {
    throw new Error(`${name} has ended (${String(signal ?? code)})`)
  })
  // Only those who race with it want to know.
  ended.catch(() => undefined)
  return {
    pid: child.pid,
    ended,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), drainMs)
      await exit
      clearTimeout(killer)
    },
  }
}

/** Runs the build to its end: what is measured is what is shipped. */
export async function build(): Promise<void> {
  const child = spawn('npm', ['run', '--silent', 'build'], { cwd: fileURLToPath(root), stdio: 'inherit' })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error('The build failed, so there is nothing to measure.')
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

const { stdout: ticks } = await execute('getconf', ['CLK_TCK'])
const ticksPerSecond = Number(ticks)

/** @returns the seconds of CPU, user and system, that a process has used since it started, all of its threads */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The second field is the name in parentheses and may hold spaces: what follows its end is plain.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** @returns the seconds of CPU that the whole machine has spent at work since it started, over all of its cores */
export async function machineSeconds(): Promise<number> {
  const [first = ''] = (await readFile('/proc/stat', 'utf8')).split('\n')
  const [user, nice, system, , , irq, softirq] = first.split(/\s+/).slice(1).map(Number)
  return [user, nice, system, irq, softirq].reduce<number>((sum, part) => sum + (part ?? 0), 0) / ticksPerSecond
}
