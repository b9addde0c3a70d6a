import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { Redis } from 'ioredis'
import { type Launched, launch } from './launch.js'
import { command, noServer, onPath, type Program, type Surroundings, versionOf, withinReach } from './surroundings.js'

/** What the engine's scripts need. */
const oldestVersion = 7
const packages = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1']
const versionPattern = /v=(\d+(?:\.\d+)*)/

/** Why the Redis at a URL does not serve; null when it does. */
export async function redisTrouble(url: string): Promise<string | null> {
  const client = new Redis(url, { lazyConnect: true, connectTimeout: 4_000, commandTimeout: 4_000, enableReadyCheck: false, maxRetriesPerRequest: 0, retryStrategy: () => null })
  let cause: Error | null = null
  client.on('error', (error: Error) => (cause ??= error))
  try {
    await client.connect()
    await client.ping()
    return null
  } catch (error) {
    const { code, message } = (cause ?? error) as NodeJS.ErrnoException
    return code ?? message
  } finally {
    client.disconnect()
  }
}

/** A Redis of our own, durable as the engine demands it, on data that stays between starts. */
export async function startRedis(around: Surroundings, settings: readonly string[] = []): Promise<Launched> {
  const program = (await installed(around)) ?? (await unpacked(around))
  around.say(`Redis ${program.version} from ${program.source}.`)
  const cwd = join(around.folder, 'redis')
  await mkdir(cwd, { recursive: true, mode: 0o700 })
  if (around.user) await chown(cwd, around.user.uid, around.user.gid)
  return launch(
    {
      name: 'Redis',
      program,
      cwd,
      args: (port) => [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', cwd, '--databases', '64', '--save', ''],
        ...['--appendonly', 'yes', '--appendfsync', 'always', '--no-appendfsync-on-rewrite', 'no', '--maxmemory-policy', 'noeviction'],
        ...settings,
      ],
      // Redis writes its own title over its arguments, and that one holds its address.
      marks: (port) => [cwd, `127.0.0.1:${port}`],
      signal: 'SIGTERM',
      answers: (port) => redisTrouble(`redis://127.0.0.1:${port}`),
    },
    around,
  )
}

async function installed(around: Surroundings): Promise<Program | null> {
  const file = await onPath(['redis-server', 'valkey-server'], around.env)
  if (file === null) return null
  try {
    const version = await versionOf(file, versionPattern, around, around.env)
    if (Number.parseInt(version, 10) < oldestVersion) throw new Error(`version ${version} is older than ${oldestVersion}`)
    return { file, version, source: file, env: around.env }
  } catch (error) {
    around.say(`Not used: ${file}, ${(error as Error).message}.`)
    return null
  }
}

/** Debian's own packages, unpacked into the user's cache folder: nothing is installed, and no rights are needed. */
async function unpacked(around: Surroundings): Promise<Program> {
  const { env, say, user, signal } = around
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const [system, number] = ['ID', 'VERSION_ID'].map((key) => new RegExp(`^${key}="?([^"\n]*)`, 'm').exec(release)?.[1] ?? 'any')
  const name = `redis-${system}-${number}-${process.arch}`
  const cache = join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'flash-sale-engine')
  const folder = join(cache, name)

  if (!(await readdir(folder).then(() => true, () => false))) {
    if (!(await onPath(['apt-get'], env)) || !(await onPath(['dpkg'], env))) {
      throw noServer('Redis', 'neither redis-server nor valkey-server is on the PATH, and this is no Debian-like system to fetch one for')
    }
    say(`No redis-server on the PATH: downloading Debian's packages (1.4 MB) and unpacking them into ${folder}.`)
    await mkdir(cache, { recursive: true })
    const draft = await mkdtemp(`${folder}.`)
    try {
      await download(draft, around)
      for (const file of await readdir(draft)) {
        if (file.endsWith('.deb')) await command('dpkg', ['-x', join(draft, file), join(draft, 'root')], { env, signal })
      }
      // Renamed into place whole: a start that is cut off leaves no half of it. One that came first has the same content.
      await rename(join(draft, 'root'), folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
      })
    } catch (error) {
      signal?.throwIfAborted()
      throw noServer('Redis', `its packages could not be fetched (${(error as Error).message})`)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
    await chmod(folder, 0o755)
  }

  const root = await withinReach(folder, basename(folder), 'usr/bin/redis-server', around)
  const file = join(root, 'usr/bin/redis-server')
  const libraries = (await readdir(join(root, 'usr/lib'))).filter((entry) => entry.includes('-linux-'))
  const own = { ...env, LD_LIBRARY_PATH: libraries.map((entry) => join(root, 'usr/lib', entry)).join(':') }
  try {
    const version = await versionOf(file, versionPattern, { user }, own)
    if (Number.parseInt(version, 10) < oldestVersion) throw new Error(`version ${version} is older than ${oldestVersion}`)
    return { file, version, source: `Debian's packages, unpacked in ${dirname(root) === cache ? folder : root}`, env: own }
  } catch (error) {
    throw noServer('Redis', `the one in ${root} does not run (${(error as Error).message})`)
  }
}

async function download(into: string, around: Surroundings): Promise<void> {
  const { env, say, signal } = around
  const fetch = () => command('apt-get', ['download', '-q', ...packages], { cwd: into, env, signal })
  try {
    await fetch()
  } catch (error) {
    // A fresh container has no package lists, and only root can bring them.
    if (process.getuid?.() !== 0 || signal?.aborted) throw error
    say('Refreshing the package lists first (apt-get update); this can take a minute.')
    await command('apt-get', ['update', '-q'], { env, signal })
    await fetch()
  }
}
