import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, chmod, constants, cp, mkdir, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Claim } from './record.js'

const execute = promisify(execFile)

/** Something that the person at the terminal has to decide or repair. Its message is all that they need to see. */
export class ServersError extends Error {
  override name = 'ServersError'
}

export interface ServiceUser {
  uid: number
  gid: number
}

/** What starting a server needs to know about the place where it happens. */
export interface Surroundings {
  /** Holds the servers' data and logs; `user` may enter it. */
  folder: string
  /** Whom the servers run as when that is not who we are. */
  user: ServiceUser | null
  env: NodeJS.ProcessEnv
  say: (line: string) => void
  claim: Claim
  signal: AbortSignal | undefined
}

/** A server's binary, and what it needs around it. */
export interface Program {
  file: string
  version: string
  /** Where it comes from, for people. */
  source: string
  env: NodeJS.ProcessEnv
}

/** Postgres refuses to run as root, and Redis should not: both run as `nobody` then. Anyone else runs them as themselves. */
export function serviceUser(): ServiceUser | null {
  return process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : null
}

/** Runs a short command to its end; the error of a failing one carries its last line. */
export async function command(
  file: string,
  args: string[],
  options: { env: NodeJS.ProcessEnv; cwd?: string; user?: ServiceUser | null; signal?: AbortSignal | undefined },
): Promise<string> {
  const { user, cwd = '/', env, signal } = options
  try {
    const { stdout } = await execute(file, args, { cwd, env, maxBuffer: 16_000_000, ...user, ...(signal && { signal }) })
    return stdout
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string }
    const lines = (stderr || message).trim().split('\n')
    throw new Error(lines.at(-1), { cause: error })
  }
}

/** Asks the system itself, as the user in question: modes, groups and access lists all count. */
async function mayUse(user: ServiceUser, path: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  return command('sh', ['-c', 'test -r "$1" && test -x "$1"', 'sh', path], { user, env }).then(() => true, () => false)
}

/**
 * The folder that the servers' data lives in: the data folder, if their user may enter it. A checkout of root's is often
 * under /root, which nobody else may enter, and opening that up is not ours to do. Then it is a folder of /var/lib, named
 * for the data folder: like that one it survives a restart of the machine, and unlike /tmp only root can have put it there.
 */
export async function folderFor(dataFolder: string, user: ServiceUser | null, env: NodeJS.ProcessEnv, say: (line: string) => void): Promise<string> {
  await mkdir(dataFolder, { recursive: true })
  if (user === null) return dataFolder
  await chmod(dataFolder, (await stat(dataFolder)).mode | 0o055)
  if (await mayUse(user, dataFolder, env)) return dataFolder

  const key = createHash('sha256').update(dataFolder).digest('hex').slice(0, 12)
  const folder = join('/var/lib/flash-sale-engine', key)
  await mkdir(folder, { recursive: true })
  await chmod('/var/lib/flash-sale-engine', 0o755)
  await chmod(folder, 0o755)
  if (!(await mayUse(user, folder, env))) {
    throw new ServersError(`The servers must not run as root, and user ${user.uid} may enter neither ${dataFolder} nor ${folder}.`)
  }
  say(`Running as root, and user nobody may not enter ${dataFolder}: the servers' data is in ${folder}.`)
  return folder
}

/** A folder with programs as the servers' user can run them: itself, or a copy beside the data when it lies out of reach. */
export async function withinReach(programs: string, name: string, file: string, around: Surroundings): Promise<string> {
  const { user, env, folder } = around
  if (user === null || (await mayUse(user, join(programs, file), env))) return programs
  const copy = join(folder, 'programs', name)
  if (await mayUse(user, join(copy, file), env)) return copy
  await mkdir(join(folder, 'programs'), { recursive: true })
  await chmod(join(folder, 'programs'), 0o755)
  const draft = `${copy}.${process.pid}`
  await cp(programs, draft, { recursive: true, verbatimSymlinks: true })
  await chmod(draft, 0o755)
  await rm(copy, { recursive: true, force: true })
  await rename(draft, copy)
  return copy
}

/** The first of `names` in the folders of PATH, each name looked for everywhere before the next one is. */
export async function onPath(names: string[], env: NodeJS.ProcessEnv): Promise<string | null> {
  const folders = (env['PATH'] ?? '').split(':').filter((folder) => folder !== '')
  for (const name of names) {
    for (const folder of folders) {
      const file = resolve(folder, name)
      if (await access(file, constants.X_OK).then(() => true, () => false)) return file
    }
  }
  return null
}

/** Why a program on the machine cannot be used, or the version that it gives itself. */
export async function versionOf(file: string, pattern: RegExp, around: Pick<Surroundings, 'user'>, env: NodeJS.ProcessEnv): Promise<string> {
  const printed = await command(file, ['--version'], { env, user: around.user })
  const version = pattern.exec(printed)?.[1]
  if (version === undefined) throw new Error(`it does not tell its version (${printed.trim().slice(0, 80)})`)
  return version
}

export function noServer(name: string, why: string): ServersError {
  return new ServersError(
    [
      `There is no ${name} to run with: ${why}. Three ways out:`,
      '  docker compose up                              Redis and Postgres in containers (needs the secrets that it asks for)',
      '  sudo apt-get install redis-server postgresql   or: brew install redis postgresql',
      '  REDIS_URL=… DATABASE_URL=… npm start           servers that already run somewhere',
    ].join('\n'),
  )
}
