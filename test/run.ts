/** `npm test`: real servers, a fresh build, every test file; or the files named: `npm test -- test/config.test.ts`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Parser } from 'tap-parser'
import { bringUp, type Servers } from '../src/cli/servers.js'
import { ServersError } from '../src/cli/servers/surroundings.js'
import { type Tally, tally } from './results.js'

// A Ctrl-C reaches the runner as well; this process lives on to end the servers.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})

const dataFolder = await mkdtemp(join(tmpdir(), 'flash-sale-test-'))
let servers: Servers | null = null
let code = 1
let counts: Tally = { passed: 0, failed: 1, skipped: 0 }
try {
  await build()
  servers = await bringUp({ dataFolder, say: console.log })
  ;({ code, counts } = await runTests(servers))
} catch (error) {
  console.error(error instanceof ServersError ? error.message : error)
} finally {
  await servers?.stop()
  await rm(dataFolder, { recursive: true, force: true })
}

// The runner knows of more ways to fail than its tests do.
if ((code !== 0 || counts.passed + counts.failed === 0) && counts.failed === 0) counts.failed = 1
if (counts.skipped > 0) console.log(`${counts.skipped} skipped`)
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exitCode = code || (counts.failed > 0 ? 1 : 0)

/** Some tests start the built processes. */
async function build(): Promise<void> {
  const child = spawn('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
  const [failed] = await once(child, 'close')
  if (failed !== 0) throw new Error('The build failed, so nothing was tested.')
}

async function runTests({ redisUrl, databaseUrl }: Servers): Promise<{ code: number; counts: Tally }> {
  const args = ['--jobs=2', '--reporter=tap', ...process.argv.slice(2)]
  const child = spawn('node_modules/.bin/tap', args, {
    env: { ...process.env, REDIS_URL: redisUrl, DATABASE_URL: databaseUrl },
    stdio: ['inherit', 'pipe', 'inherit'],
  })
  const parser = new Parser()
  const found = tally(parser, console.log)
  child.stdout.pipe(parser)
  const [exitCode] = (await once(child, 'close')) as [number | null]
  return { code: exitCode ?? 1, counts: found }
}
