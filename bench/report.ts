/** From measurements to tables. What was not reached is said as plainly as what was. */
import { isReached, median, ratios, type Reach, type Spread, spread } from './figures.js'
import { type Arrival, type Arrivals, batchedOrders, singleConcurrency, singleOrders } from './persist.js'
import { type Recovery, recoveredOrders } from './recover.js'
import { crowds, type Kind, type Round, type Rounds } from './rounds.js'
import { holdConnections, type Watched, type WatchedRound, watchers } from './watchers.js'

export interface Measured {
  readonly rounds: Rounds | null
  readonly arrivals: Arrivals | null
  readonly watched: Watched | null
  readonly recoveries: readonly Recovery[] | null
}

const names: Readonly<Record<Kind, string>> = { hold: 'durable hold', refusal: 'refusal, sold out', empty: 'empty POST' }

/** @returns every figure that was promised and measured in this run */
export function reaches({ rounds, arrivals, watched }: Pick<Measured, 'rounds' | 'arrivals' | 'watched'>): Reach[] {
  const all: Reach[] = []
  if (rounds !== null) {
    for (const crowd of crowds) {
      const { hold, refusal, empty } = rounds[crowd]
      const at = `at ${crowd} connections`
      for (const [name, ours] of [['Durable holds', hold], ['Refusals', refusal]] as const) {
        if (ours.length === 0) continue
        all.push({ what: `${name} ${at}: rate beside an empty POST`, bound: { atLeast: 0.8 }, unit: '×', measured: ratios(ours, empty, (round) => round.rate) })
        all.push({ what: `${name} ${at}: CPU of the API process a request, beside an empty POST`, bound: { atMost: 1.3 }, unit: '×', measured: ratios(ours, empty, (round) => round.cpuUs) })
      }
      if (hold.length > 0 && refusal.length > 0) {
        all.push({ what: `Refusals beside holds ${at}: CPU of the API and of Redis a request`, bound: { atMost: 1 }, unit: '×', measured: ratios(refusal, hold, (round) => round.cpuUs + round.redisUs) })
      }
    }
  }
  if (arrivals !== null) {
    all.push({ what: 'Paid orders to Postgres, one worker process, its start included', bound: { atLeast: 5_000 }, unit: ' orders/s', measured: spread(arrivals.batched.map(({ rate }) => rate)) })
  }
  if (watched !== null) {
    const who = `${number(watchers, 0)} watch the sale`
    all.push({ what: `Durable holds while ${who}: rate beside holds while nobody does`, bound: { atLeast: 0.75 }, unit: '×', measured: ratios(watched.withWatchers, watched.without, ({ rate }) => rate) })
    all.push({ what: `While ${who}: how long the last of them takes to see a change, under load`, bound: { atMost: 2_000 }, unit: ' ms', measured: lastSeen(watched) })
  }
  return all
}

const lastSeen = ({ withWatchers }: Watched): Spread => spread(withWatchers.map(({ lastSeenMs }) => lastSeenMs ?? 0))

export function report(measured: Measured, machine: readonly [string, string][], options: { pairs: number; seconds: number }): string {
  const { rounds, arrivals, watched, recoveries } = measured
  const all = reaches(measured)
  return [
    '# What it does a second',
    '',
    'Written by `npm run bench`, all of it in one run. Medians, with the least and the most of the rounds in brackets.',
    ...(all.length === 0 ? [] : reachesSection(all)),
    ...(rounds === null ? [] : roundsSection(rounds, options)),
    ...(arrivals === null ? [] : arrivalsSection(arrivals)),
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
    '`REDIS_URL`, an empty database, and `DATABASE_URL` name), and writes this file. `npm run bench -- --only holds|refusals|persist|watchers|recover`',
    'measures a part and prints it; `--pairs n` and `--seconds n` set the rounds and their length. A run whose stores do not add up in',
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
  const digits = unit === '×' ? 2 : 0
  const promised = 'atLeast' in bound ? `≥ ${unit === '×' ? bound.atLeast : number(bound.atLeast, 0)}` : `≤ ${number(bound.atMost, unit === '×' ? 1 : 0)}`
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
    'server options, body schema and answer schema, no plugin and no hook, answering a constant cart.',
    '',
    table(['', 'connections', 'requests/s', 'CPU of the server process, µs each', 'CPU of Redis, µs each', 'requests a call to Redis', 'p50 ms', 'p99 ms', 'errors'], rows),
    '',
    'A *durable hold* makes a cart with one unit of one hot item, and is answered once Redis has fsynced it. A *refusal* is a 409 `insufficient_stock`',
    'in a sale whose thousand units are all held in live carts. After every round the counters in Redis were read: allocation = available + held + sold in',
    'both sales, units held and carts as many as 201 answers, nothing taken by a refusal.',
    '',
    `The load itself kept ${ranged(spread(everyRound.map(({ loadCores }) => loadCores)), 2)} cores busy: where that is near 1, it is the load that bounds the rate, and the CPU a request tells more. What was not`,
    `part of the bench took ${ranged(spread(everyRound.map(({ otherCores }) => otherCores)), 2)} cores in the meantime.`,
  ]
}

function errorsOf(rounds: readonly Round[]): string {
  const errors = new Map<string, number>()
  for (const round of rounds) {
    for (const [what, count] of Object.entries(round.errors)) errors.set(what, (errors.get(what) ?? 0) + count)
  }
  return errors.size === 0 ? '0' : [...errors].map(([what, count]) => `${what}: ${count}`).join(', ')
}

function arrivalsSection({ batched, single }: Arrivals): string[] {
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
    `${singleConcurrency} at once.`,
    '',
    table(['', 'orders a turn', 'orders/s, start included', 'orders/s once it ran', 'CPU of the worker, µs an order'], [
      row('in batches, through the outbox', batchedOrders, batched),
      row('one job and one insert an order', singleOrders, single),
    ]),
    '',
    `Once both ran, batches were ${ranged(ratios(batched, single, ({ steadyRate }) => steadyRate), 1)} times as fast. After every turn: every order in Postgres once, each item's`,
    'quantity, ledger and lines right to the unit, the outbox empty.',
  ]
}

function watchersSection(watched: Watched): string[] {
  const row = (name: string, its: readonly WatchedRound[]) => {
    const of = (figure: (round: WatchedRound) => number | null, digits = 0) => {
      const figures = its.map(figure).filter((one) => one !== null)
      return figures.length === 0 ? '–' : ranged(spread(figures), digits)
    }
    return [
      name, of(({ rate }) => rate), of(({ cpuUs }) => cpuUs, 1), of(({ p99Ms }) => p99Ms, 2),
      of(({ events }) => events, 1), of(({ medianSeenMs }) => medianSeenMs), of(({ lastSeenMs }) => lastSeenMs),
    ]
  }
  return [
    '',
    '## Holds while thousands watch',
    '',
    `One API process takes holds over ${holdConnections} connections, with and without ${number(watchers, 0)} streams of \`GET /v1/sales/{saleId}/events\` open on it, in turns; those who watch`,
    'are one process with bare sockets. Meanwhile a unit of another item is taken again and again, and the clock runs until every watcher has an event that says so;',
    'the table has the slowest such change of a round.',
    '',
    table(['', 'holds/s', 'CPU of the API process, µs a hold', 'p99 ms', 'events/s a watcher', 'half of them saw it after, ms', 'the last saw it after, ms'], [
      row('all watch', watched.withWatchers),
      row('nobody watches', watched.without),
    ]),
    '',
    'After every round: units held as many as 201 answers, and nobody who watched was cut off.',
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

function number(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function ranged({ median: middle, min, max }: Spread, digits: number): string {
  return `${number(middle, digits)} (${number(min, digits)}–${number(max, digits)})`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
