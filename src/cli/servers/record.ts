import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { birthOf, commandLineOf, endProcess, type Identity, isAlive } from './processes.js'
import { ServersError } from './surroundings.js'

/** A process that a launcher started. `marks`: its command line holds one of them, or it is not ours. */
export interface Started extends Identity {
  name: string
  marks: string[]
  /** The signal that ends it in good order. */
  signal: NodeJS.Signals
}

interface Running {
  launcher: Identity
  started: Started[]
}

/** The right to run servers on one data folder, and the list of them that the next start finds when this one is killed. */
export interface Claim {
  remember(name: string, pid: number, marks: string[], signal: NodeJS.Signals): Promise<Started>
  release(): Promise<void>
}

/** How long a leftover or a stopping server may take before it is killed. Both servers recover from a kill. */
export const stopBoundMs = 3_000

const recordIn = (folder: string) => join(folder, 'running.json')

/** Takes the data folder for this process, after it has stopped what a killed launcher left behind. */
export async function claimFolder(folder: string, say: (line: string) => void): Promise<Claim> {
  await mkdir(folder, { recursive: true })
  const path = recordIn(folder)
  const running: Running = { launcher: { pid: process.pid, born: (await birthOf(process.pid)) ?? '' }, started: [] }
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(running))
  try {
    for (;;) {
      // A link appears with its whole content or fails: two starts at the same moment cannot both succeed.
      const taken = await link(draft, path).then(() => true, (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') return false
        throw error
      })
      if (taken) break
      const holder = await stopLeftovers(folder, say)
      if (holder !== null) throw new ServersError(`${folder} is in use by process ${holder}: stop that one first (Ctrl-C), or give this start a data folder of its own.`)
    }
  } finally {
    await rm(draft, { force: true })
  }

  return {
    async remember(name, pid, marks, signal) {
      const born = await birthOf(pid)
      const started: Started = { name, pid, born: born ?? 'gone', marks, signal }
      running.started.push(started)
      // Written beside and moved over, so that no reader ever sees half of it.
      await writeFile(draft, JSON.stringify(running))
      await rename(draft, path)
      return started
    },
    release: () => rm(path, { force: true }),
  }
}

/** Stops what a killed launcher left behind and removes its record. Gives the launcher's pid instead when that one lives. */
export async function stopLeftovers(folder: string, say: (line: string) => void): Promise<number | null> {
  const path = recordIn(folder)
  const text = await readFile(path, 'utf8').catch(() => null)
  if (text === null) return null
  const running = JSON.parse(text) as Running
  if (await isAlive(running.launcher)) return running.launcher.pid

  // Whoever started last goes first: the processes that use the servers before the servers.
  for (const started of running.started.toReversed()) {
    if (!(await isAlive(started))) continue
    const commandLine = await commandLineOf(started.pid)
    if (!started.marks.some((mark) => commandLine.includes(mark))) continue
    say(`Stopping ${started.name} (process ${started.pid}), left behind by a start that was killed.`)
    await endProcess(started, started.signal, stopBoundMs)
  }

  // Another start may have come to the same end and may already hold the folder. Moved aside first and read again,
  // its fresh record is seen and put back instead of being deleted.
  const aside = `${path}.${randomUUID()}`
  const moved = await rename(path, aside).then(() => true, () => false)
  if (!moved) return null
  if ((await readFile(aside, 'utf8')) !== text) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
  return null
}
