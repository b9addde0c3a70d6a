/** From measurements to RESULTS.md. What was not reached is said as plainly as what was. */
import { availableParallelism } from 'node:os'
import { type Arrival, type Arrivals, batchedOrders, singleConcurrency, singleOrders } from './arrivals.js'
import { errorsOf, linesSection, loadLines, postgresSection, purchasesSection, readsSection, redisSection } from './beside-report.js'
import type { Round } from './contest.js'
import { isReached, median, type Reach, spread, ratios } from './figures.js'
import { number, ranged, table } from './markdown.js'
import { overloadSection } from './overload.js'
import { type Measured, reaches } from './reaches.js'
import { type Recovery, recoveredOrders } from './recover.js'
import { crowds, type Kind, type Rounds } from './rounds.js'
import { scaleSection } from './scale.js'
import { watchersSection } from './watchers.js'

const names: Readonly<Record<Kind, string>> = { hold: 'durable hold', refusal: 'refusal, sold out', empty: 'empty POST' }

export function report(measured: Measured, machine: readonly [string, string][], options: { pairs: number; seconds: number; parts: string }): string {
  const { rounds, lines, reads, redis, postgres, purchases, arrivals, overload, scale, watched, recoveries } = measured
  const all = reaches(measured)
  return [
    '# What it does a second',
    '',
    'Written by `npm run bench`, all of it in one run. What is compared runs in turns, a round of each right after the other, and is compared pair by pair:',
    `${options.pairs} pairs of rounds of about ${options.seconds} s where nothing else is said. Medians, with the least and the most of the rounds in brackets.`,
    ...(all.length === 0 ? [] : reachesSection(all)),
    ...(rounds === null ? [] : roundsSection(rounds, options)),
    ...(lines === null ? [] : linesSection(lines)),
    ...(reads === null ? [] : readsSection(reads)),
    ...(redis === null ? [] : redisSection(redis)),
    ...(postgres === null ? [] : postgresSection(postgres)),
    ...(purchases === null ? [] : purchasesSection(purchases, availableParallelism())),
    ...(arrivals === null ? [] : arrivalsSection(arrivals)),
    ...(overload === null ? [] : overloadSection(overload)),
    ...(scale === null ? [] : scaleSection(scale)),
    ...(watched === null ? [] : watchersSection(watched)),
    ...(recoveries === null ? [] : recoverySection(recoveries)),
    '',
    '## The machine',
    '',
    table(['', ''], machine),
    '',
    '## To repeat it',
    '',
    'On Linux: `npm ci && npm run bench`. It builds, starts a Redis and a Postgres of its own in a temporary folder (or uses the ones that',
    `\`REDIS_URL\`, an empty database, and \`DATABASE_URL\` name), and writes this file. \`npm run bench -- --only ${options.parts}\``,
    'measures a part and prints it; `--pairs n` and `--seconds n` set the rounds and their length, `--carts n` the live carts of the biggest sale. A run whose stores do not add up in',
    'the end ends with 1, and writes nothing.',
    '',
  ].join('\n')
}

function reachesSection(all: readonly Reach[]): string[] {
  const missed = all.filter((reach) => !isReached(reach)).length
  return [
    '',
    missed === 0 ? 'Every figure that the design promises is reached.' : `**${missed} of ${all.length} figures are not reached**; the table says which.`,
    '',
    table(['figure', 'promised', 'measured', 'reached'], all.map(reachRow)),
  ]
}

function reachRow(reach: Reach): string[] {
  const { what, bound, unit, measured } = reach
  const digits = unit === '×' || unit === ' s' ? 2 : 0
  const promised = 'atLeast' in bound ? `≥ ${bound.atLeast.toLocaleString('en-US')}` : `≤ ${bound.atMost.toLocaleString('en-US')}`
  return [what, `${promised}${unit}`, `${ranged(measured, digits)}${unit}`, isReached(reach) ? 'yes' : '**no**']
}

function roundsSection(rounds: Rounds, { pairs, seconds }: { pairs: number; seconds: number }): string[] {
  const kinds = (Object.keys(names) as Kind[]).filter((kind) => rounds[64][kind].length > 0)
  const rows = crowds.flatMap((crowd) => kinds.map((kind) => {
    const its = rounds[crowd][kind]
    const of = (figure: (round: Round) => number, digits = 0) => ranged(spread(its.map(figure)), digits)
    const batches = its.flatMap(({ batch }) => (batch === null ? [] : [batch]))
    return [
      names[kind],
      String(crowd),
      of(({ rate }) => rate),
      of(({ cpuUs }) => cpuUs, 1),
      kind === 'empty' ? '–' : of(({ redisUs }) => redisUs, 1),
      batches.length === 0 ? '–' : ranged(spread(batches), 1),
      number(median(its.map(({ p50Ms }) => p50Ms)), 2),
      number(median(its.map(({ p99Ms }) => p99Ms)), 2),
      errorsOf(its),
    ]
  }))
  const everyRound = crowds.flatMap((crowd) => kinds.flatMap((kind) => rounds[crowd][kind]))
  return [
    '',
    '## Holds and refusals',
    '',
    `${crowds.join(' or ')} connections, each sending its next request once the last is answered, from a process of its own (autocannon); ${pairs} rounds of each kind in turns,`,
    `of about ${seconds} s and ${number(Math.max(...everyRound.map(({ answers }) => answers)), 0)} requests. One API process (\`dist/src/api.js\`), beside a process with an empty POST: plain Fastify with the same`,
    'flags of Node, server options, body schema and answer schema, no plugin and no hook, answering a constant cart (`bench/peers/empty.ts`).',
    '',
    table(['', 'connections', 'requests/s', 'CPU of the server process, µs each', 'CPU of Redis, µs each', 'requests a call to Redis', 'p50 ms', 'p99 ms', 'errors'], rows),
    '',
    'A *durable hold* makes a cart with one unit of one hot item, and is answered once Redis has fsynced it. A *refusal* is a 409 `insufficient_stock`',
    'in a sale whose thousand units are all held in live carts. After every round the counters in Redis were read: allocation = available + held + sold in',
    'both sales, units held and carts as many as 201 answers, nothing taken by a refusal.',
    '',
    ...loadLines(everyRound),
  ]
}

function arrivalsSection({ batched, single, bare }: Arrivals): string[] {
  const row = (name: string, orders: number, arrivals: readonly Arrival[]) => [
    name,
    number(orders, 0),
    ranged(spread(arrivals.map(({ rate }) => rate)), 0),
    ranged(spread(arrivals.map(({ steadyRate }) => steadyRate)), 0),
    ranged(spread(arrivals.map(({ cpuUs }) => cpuUs)), 0),
  ]
  return [
    '',
    '## Paid orders, from the outbox to Postgres',
    '',
    'The engine sells the orders (cart, checkout, payment) with no worker running; then one worker process (`dist/workers/worker.js`) starts, and the clock',
    'runs until Postgres has every order. Beside it, the same orders as one BullMQ job and one transaction each, with the same inserts,',
    `${singleConcurrency} at once (\`bench/peers/single.ts\`); and the same rows from memory, in one statement and one transaction for each 500 orders, over one connection`,
    '(`bench/peers/batches.ts`).',
    '',
    table(['', 'orders a turn', 'orders/s, start included', 'orders/s once it ran', 'CPU of the worker, µs an order'], [
      row('in batches, through the outbox', batchedOrders, batched),
      row('one job and one transaction an order', singleOrders, single),
      row('bare batches', batchedOrders, bare),
    ]),
    '',
    `Once both ran, batches were ${ranged(ratios(batched, single, ({ steadyRate }) => steadyRate), 1)} times as fast as one by one. After every turn: every order in Postgres once, each item's`,
    'quantity, ledger and lines right to the unit, the outbox empty.',
  ]
}

function recoverySection(recoveries: readonly Recovery[]): string[] {
  const of = (figure: (recovery: Recovery) => number) => ranged(spread(recoveries.map(figure)), 2)
  return [
    '',
    '## Recovery',
    '',
    'A sale whose paid orders are all in Postgres loses its Redis with everything in it, and `npm run recover` (`dist/src/cli/recover.js`) brings it back; the',
    'provider is the sandbox, whose charges are lost as well, so none is asked about. Then the sale is ended and certified, and `npm run verify`',
    '(`dist/src/cli/verify.js`) replays its certificate, an entry an order. Both from the start of the process until its end. No promise is attached to either.',
    '',
    table(['orders', 'turns', 'recovered, s', 'certificate verified, s'], [
      [number(recoveredOrders, 0), String(recoveries.length), of(({ recoverSeconds }) => recoverSeconds), of(({ verifySeconds }) => verifySeconds)],
    ]),
    '',
    "After every turn: each item's available is its allocation less what was sold, to the unit, and an audit finds every promise kept.",
  ]
}
