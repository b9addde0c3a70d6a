/**
 * `npm run bench`: what the design promises, measured side by side in one run, and written to RESULTS.md.
 *
 *     npm run bench -- [--only PART] [--pairs n] [--seconds n] [--carts n]
 *
 * A part is one of holds, refusals, lines, reads, redis, postgres, purchases, arrivals, overload, scale, watchers, recover.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { ServersError } from '../src/cli/servers/surroundings.js'
import { measureArrivals } from './arrivals.js'
import { measurePostgres, measureRedis } from './beside.js'
import { charts } from './charts.js'
import { DoesNotCount, isReached } from './figures.js'
import { describeMachine } from './machine.js'
import { measureOverload } from './overload.js'
import { build } from './processes.js'
import { measurePurchases } from './purchases.js'
import { type Measured, reaches } from './reaches.js'
import { measureLines, measureReads } from './reads.js'
import { measureRecoveries } from './recover.js'
import { report } from './report.js'
import { type Kind, measureRounds } from './rounds.js'
import { measureScale, sizesOf } from './scale.js'
import { type OpenStage, openStage, type Stage } from './stage.js'
import { measureWatchers, watchers } from './watchers.js'

const parts = ['holds', 'refusals', 'lines', 'reads', 'redis', 'postgres', 'purchases', 'arrivals', 'overload', 'scale', 'watchers', 'recover'] as const
type Part = (typeof parts)[number] | 'all'

interface Options {
  readonly part: Part
  readonly pairs: number
  readonly seconds: number
  /** Live carts of the biggest sale. */
  readonly carts: number
}

/** How much longer a round of purchases is: each is three requests, and its end waits for Postgres. */
const purchaseLength = 2
/** Most pairs of arrivals in Postgres: each takes a quarter of a minute, and they differ by more than the machine's noise. */
const arrivalPairsBound = 5
/** Most sales that are recovered: each takes as long to be made. */
const recoveriesBound = 5

const say = (line: string) => console.log(line)
const results = new URL('RESULTS.md', import.meta.url)
const chartsFolder = new URL('charts/', import.meta.url)

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
  const started = performance.now()
  say('Building.')
  await build()
  const stage = await openStage(say, stopping.signal)
  open.stage = stage

  const measured = await measure(stage, options)
  const text = report(measured, await describeMachine(stage), { pairs, seconds, parts: parts.join('|') })
  if (part === 'all') {
    await mkdir(chartsFolder, { recursive: true })
    await writeFile(results, text)
    for (const [name, svg] of charts(measured)) await writeFile(new URL(name, chartsFolder), svg)
  } else say(`\n${text}`)
  for (const reach of reaches(measured)) {
    say(`${isReached(reach) ? 'reached    ' : 'NOT REACHED'}  ${reach.what}: ${reach.measured.median.toFixed(2)}${reach.unit}`)
  }
  say(`${part === 'all' ? 'Written to bench/RESULTS.md, after' : 'After'} ${Math.round((performance.now() - started) / 1_000)} s.`)
}

/** Measures the parts that were asked for, one after the other. */
async function measure(stage: Stage, { part, pairs, seconds, carts }: Options): Promise<Measured> {
  async function when<Result>(its: readonly Part[], title: string, work: () => Promise<Result>): Promise<Result | null> {
    if (part !== 'all' && !its.includes(part)) return null
    const started = performance.now()
    say(title)
    const result = await work()
    say(`  took ${Math.round((performance.now() - started) / 1_000)} s`)
    return result
  }
  // Refusals are held against holds as well as against an empty POST.
  const kinds: readonly Kind[] = part === 'holds' ? ['hold', 'empty'] : ['hold', 'empty', 'refusal']
  const arrivalPairs = Math.min(pairs, arrivalPairsBound)
  const turns = Math.min(pairs, recoveriesBound)
  return {
    rounds: await when(['holds', 'refusals'], `Holds and refusals: ${pairs} rounds of each kind and crowd, about ${seconds} s each.`, () => measureRounds(stage, kinds, pairs, seconds)),
    lines: await when(['lines'], `Carts of several items: ${pairs} pairs.`, () => measureLines(stage, pairs, seconds)),
    reads: await when(['reads'], `Reads of an item and of a sale: ${pairs} pairs each.`, () => measureReads(stage, pairs, seconds)),
    redis: await when(['redis'], `Holds beside a bare script in Redis: ${pairs} pairs.`, () => measureRedis(stage, pairs, seconds)),
    postgres: await when(['postgres'], `Holds beside Postgres alone: ${pairs} pairs.`, () => measurePostgres(stage, pairs, seconds)),
    purchases: await when(['purchases'], `Whole purchases: ${pairs} pairs.`, () => measurePurchases(stage, pairs, seconds * purchaseLength)),
    arrivals: await when(['arrivals'], `Paid orders to Postgres: ${arrivalPairs} pairs.`, () => measureArrivals(stage, arrivalPairs)),
    overload: await when(['overload'], `More than it can carry: ${pairs} pairs.`, () => measureOverload(stage, pairs, seconds)),
    scale: await when(['scale'], `Much of everything, ${carts} live carts the most: ${pairs} pairs of each kind.`, () => measureScale(stage, sizesOf(carts), pairs, seconds)),
    watched: await when(['watchers'], `Holds while ${watchers} watch: ${pairs} pairs.`, () => measureWatchers(stage, pairs, seconds)),
    // The last: it empties Redis.
    recoveries: await when(['recover'], `A sale is lost and recovered: ${turns} turns.`, () => measureRecoveries(stage, turns)),
  }
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: { only: { type: 'string', default: 'all' }, pairs: { type: 'string', default: '9' }, seconds: { type: 'string', default: '2' }, carts: { type: 'string', default: '1000000' } },
  })
  const { only, pairs, seconds, carts } = values
  const part = (['all', ...parts] as const).find((known) => known === only)
  if (part === undefined) throw new RangeError(`--only takes one of ${parts.join(', ')}`)
  return { part, pairs: whole('--pairs', pairs), seconds: whole('--seconds', seconds), carts: whole('--carts', carts, 10_000_000) }
}

function whole(name: string, text: string, most = 99): number {
  if (!/^[1-9]\d{0,7}$/.test(text) || Number(text) > most) throw new RangeError(`${name} takes a whole number from 1 to ${most}`)
  return Number(text)
}
