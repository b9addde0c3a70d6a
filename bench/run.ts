/**
 * `npm run bench`: what the design promises, measured side by side in one run, and written to RESULTS.md.
 *
 *     npm run bench -- [--only holds|refusals|persist|watchers|recover] [--pairs n] [--seconds n]
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { ServersError } from '../src/cli/servers/surroundings.js'
import { DoesNotCount, isReached } from './figures.js'
import { describeMachine } from './machine.js'
import { measureArrivals } from './persist.js'
import { build } from './processes.js'
import { measureRecoveries, recoveredOrders } from './recover.js'
import { type Measured, reaches, report } from './report.js'
import { type Kind, measureRounds } from './rounds.js'
import { type OpenStage, openStage } from './stage.js'
import { measureWatchers, watchers } from './watchers.js'

const kindsOf = {
  all: ['hold', 'empty', 'refusal'],
  holds: ['hold', 'empty'],
  // Refusals are held against holds as well as against an empty POST.
  refusals: ['hold', 'empty', 'refusal'],
  persist: [],
  watchers: [],
  recover: [],
} as const satisfies Record<string, readonly Kind[]>
type Part = keyof typeof kindsOf

interface Options {
  readonly part: Part
  readonly pairs: number
  readonly seconds: number
}

/** Most pairs of arrivals in Postgres: each takes a quarter of a minute, and they differ by more than the machine's noise. */
const arrivalPairsBound = 5
/** Most sales that are recovered: each takes as long to be made. */
const recoveriesBound = 5

const say = (line: string) => console.log(line)
const results = new URL('RESULTS.md', import.meta.url)

const open: { stage: OpenStage | null } = { stage: null }
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted) return
    say('Stopping.')
    stopping.abort()
    // Closed under its feet, the run fails; that it does is no news then.
    void open.stage?.close().finally(() => process.exit(130))
  })
}

try {
  await main(readOptions())
} catch (error) {
  process.exitCode = stopping.signal.aborted ? 130 : 1
  if (!stopping.signal.aborted) {
    if (error instanceof DoesNotCount) console.error(`The run does not count. ${error.message}`)
    else console.error(error instanceof ServersError || error instanceof RangeError ? error.message : error)
  }
} finally {
  await open.stage?.close()
}

async function main(options: Options): Promise<void> {
  const { part, pairs, seconds } = options
  const arrivalPairs = Math.min(pairs, arrivalPairsBound)
  const recoveryTurns = Math.min(pairs, recoveriesBound)
  const kinds = kindsOf[part]
  const started = performance.now()
  say('Building.')
  await build()
  const stage = await openStage(say, stopping.signal)
  open.stage = stage

  say(kinds.length > 0 ? `Holds and refusals: ${pairs} rounds of each kind and crowd, about ${seconds} s each.` : 'No rounds of requests.')
  const rounds = kinds.length > 0 ? await measureRounds(stage, kinds, pairs, seconds) : null
  say(part === 'all' || part === 'persist' ? `Paid orders to Postgres: ${arrivalPairs} pairs.` : 'No orders to Postgres.')
  const arrivals = part === 'all' || part === 'persist' ? await measureArrivals(stage, arrivalPairs) : null
  say(part === 'all' || part === 'watchers' ? `Holds while ${watchers} watch: ${pairs} pairs, about ${seconds} s each.` : 'Nobody watches.')
  const watched = part === 'all' || part === 'watchers' ? await measureWatchers(stage, pairs, seconds) : null
  say(part === 'all' || part === 'recover' ? `A sale of ${recoveredOrders} paid orders is recovered: ${recoveryTurns} turns.` : 'No recovery.')
  // The last: it empties Redis.
  const recoveries = part === 'all' || part === 'recover' ? await measureRecoveries(stage, recoveryTurns) : null

  const measured: Measured = { rounds, arrivals, watched, recoveries }
  const text = report(measured, await describeMachine(stage), options)
  if (part === 'all') await writeFile(results, text)
  else say(`\n${text}`)
  for (const reach of reaches(measured)) {
    say(`${isReached(reach) ? 'reached    ' : 'NOT REACHED'}  ${reach.what}: ${reach.measured.median.toFixed(2)}${reach.unit}`)
  }
  say(`${part === 'all' ? 'Written to bench/RESULTS.md, after' : 'After'} ${Math.round((performance.now() - started) / 1_000)} s.`)
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: { only: { type: 'string', default: 'all' }, pairs: { type: 'string', default: '9' }, seconds: { type: 'string', default: '2' } },
  })
  const { only, pairs, seconds } = values
  if (!Object.hasOwn(kindsOf, only)) throw new RangeError('--only takes holds, refusals, persist, watchers or recover')
  return { part: only as Part, pairs: whole('--pairs', pairs), seconds: whole('--seconds', seconds) }
}

function whole(name: string, text: string): number {
  if (!/^[1-9]\d?$/.test(text)) throw new RangeError(`${name} takes a whole number from 1 to 99`)
  return Number(text)
}
