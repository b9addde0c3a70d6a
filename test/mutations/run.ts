/**
 * `npm run test:mutations`: breaks each promise in turn, in a copy of the project, and expects that the tests notice. Or only
 * those named: `npm run test:mutations -- reclaim`. Writes a table, and ends with 1 where a mutation survived.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bringUp, type Servers } from '../../src/cli/servers.js'
import { type Copy, copyProject, workIn } from './copy.js'
import { mutations } from './list.js'
import type { Mutation } from './mutation.js'
import { judge, type Verdict } from './verdict.js'

/** Mutations that are tried at once, each in a copy of its own, with Redis databases of its own: so many after those of the first. */
const lanes = [0, 24]
/** Where those of the first begin, where REDIS_URL names none: as in test/redis.ts. */
const firstDatabase = 16
/** How much of what the runner wrote is shown of a mutation that survived, in lines. */
const shownLines = 40
const progress = (line: string) => console.error(line)

// A Ctrl-C reaches what is being run as well; this process lives on to end the servers.
let stopped = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (stopped = true))

const names = process.argv.slice(2)
const unknown = names.filter((name) => !mutations.some((mutation) => mutation.name === name))
const chosen = names.length === 0 ? mutations : mutations.filter(({ name }) => names.includes(name))

process.exitCode = 1
if (unknown.length > 0) {
  console.error(`There is no mutation ${unknown.join(', ')}. There are: ${mutations.map(({ name }) => name).join(', ')}.`)
} else {
  const newFolder = () => mkdtemp(join(tmpdir(), 'flash-sale-mutations-'))
  const dataFolder = await newFolder()
  const folders = await Promise.all(lanes.map(newFolder))
  let servers: Servers | null = null
  try {
    servers = await bringUp({ dataFolder, say: progress })
    const { redisUrl, databaseUrl } = servers
    const base = Number(new URL(redisUrl).pathname.slice(1)) || firstDatabase
    const copies = lanes.map((lane, i) =>
      workIn(folders[i]!, { ...process.env, REDIS_URL: new URL(`/${base + lane}`, redisUrl).href, DATABASE_URL: databaseUrl }))
    const [first, ...others] = folders as [string, ...string[]]
    await copyProject(first)
    if (await passesUnbroken(copies[0]!)) {
      // With what was built in the first one.
      for (const other of others) await cp(first, other, { recursive: true, verbatimSymlinks: true })
      process.exitCode = (await breakAll(copies)) > 0 || stopped ? 1 : 0
    }
  } finally {
    await servers?.stop()
    for (const folder of [dataFolder, ...folders]) await rm(folder, { recursive: true, force: true })
  }
}

/** What fails anyway notices nothing. */
async function passesUnbroken(copy: Copy): Promise<boolean> {
  const files = [...new Set(chosen.flatMap(({ tests }) => tests))].toSorted()
  progress(`First the ${files.length} test files as they are …`)
  const { output, ok } = await copy.test(files)
  if (!ok) console.error(`${output}\nNothing was broken yet, and something fails already.`)
  return ok
}

/** @returns how many survived */
async function breakAll(copies: readonly Copy[]): Promise<number> {
  console.log('| what is broken | promise | caught by |\n| --- | --- | --- |')
  let caught = 0
  let survived = 0
  // One iterator, so that each mutation goes to one of them.
  const waiting = chosen.values()
  await Promise.all(copies.map(async (copy) => {
    for (const mutation of waiting) if (!stopped) await tryOne(copy, mutation)
  }))
  console.log(`${caught} caught, ${survived} survived`)
  return survived

  async function tryOne(copy: Copy, mutation: Mutation): Promise<void> {
    const from = performance.now()
    const verdict = await breakOne(copy, mutation)
    if (stopped) return
    if (verdict.caught) caught += 1
    else survived += 1
    console.log(`| ${mutation.broken} | ${mutation.promise} | ${verdict.caught ? verdict.by.join('; ') : `**nothing**: ${verdict.why}`} |`)
    progress(`[${caught + survived}/${chosen.length}] ${mutation.name}: ${verdict.caught ? 'caught' : 'SURVIVED'} (${((performance.now() - from) / 1_000).toFixed(0)} s)`)
  }
}

async function breakOne(copy: Copy, { edits, tests }: Mutation): Promise<Verdict> {
  const undo = await copy.change(edits)
  try {
    const { output, ok } = await copy.test(tests)
    const verdict: Verdict = ok ? { caught: false, why: 'every test passed' } : judge(output, tests)
    if (!verdict.caught) progress(output.trimEnd().split('\n').slice(-shownLines).join('\n'))
    return verdict
  } finally {
    await undo()
  }
}
