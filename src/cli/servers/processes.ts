import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A process that can be told from a later one that got the same number. */
export interface Identity {
  pid: number
  /** When it was born, as the system writes it: a number is used again, a number and a birth are not. */
  born: string
}

/** The birth of a living process; null when there is none. A zombie does nothing any more, so it counts as gone. */
export async function birthOf(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
    if (stat === null) return null
    // The second field is the name in parentheses and may hold spaces: what follows its end is plain.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
  }
  const listed = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]).catch(() => null)
  const line = listed?.stdout.trim() ?? ''
  if (line === '' || line.startsWith('Z')) return null
  return line.slice(line.indexOf(' ')).trim()
}

export async function isAlive(identity: Identity): Promise<boolean> {
  return (await birthOf(identity.pid)) === identity.born
}

export async function commandLineOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return raw.replaceAll('\0', ' ')
  }
  const listed = await run('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => null)
  return listed?.stdout ?? ''
}

/** Asks a process to end, and makes it end when it has not within `boundMs`. Works for children and for strangers alike. */
export async function endProcess(identity: Identity, signal: NodeJS.Signals, boundMs: number): Promise<void> {
  if (!(await isAlive(identity))) return
  send(identity.pid, signal)
  if (await goneWithin(identity, boundMs)) return
  // What we start leads a group of its own; the whole group goes, or a helper of it would keep files open.
  send(-identity.pid, 'SIGKILL')
  send(identity.pid, 'SIGKILL')
  await goneWithin(identity, 1_000)
}

async function goneWithin(identity: Identity, boundMs: number): Promise<boolean> {
  const deadline = performance.now() + boundMs
  while (await isAlive(identity)) {
    if (performance.now() > deadline) return false
    await delay(25)
  }
  return true
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended between the look and the signal, which is what was wanted.
  }
}
