/** The sections of what stands beside something else: a table of both, and what each of them is. */
import { crowd, type Round } from './contest.js'
import { median, ratios, spread } from './figures.js'
import { number, ranged, table } from './markdown.js'
import { type Beside, lineCount, type Reads, saleItems } from './reads.js'

/** Columns of a table of rounds: a title and what it says of them. */
type Column = readonly [string, (rounds: readonly Round[]) => string]

const spreadOf = (figure: (round: Round) => number, digits: number) => (rounds: readonly Round[]) => ranged(spread(rounds.map(figure)), digits)
const medianOf = (figure: (round: Round) => number) => (rounds: readonly Round[]) => number(median(rounds.map(figure)), 2)
const rateOf = (unit: string): Column => [`${unit}/s`, spreadOf(({ rate }) => rate, 0)]
const serverCpu: Column = ['CPU of the server process, µs each', spreadOf(({ cpuUs }) => cpuUs, 1)]
const redisCpu: Column = ['CPU of Redis, µs each', spreadOf(({ redisUs }) => redisUs, 1)]
const batches: Column = ['requests a call to Redis', (rounds) => {
  const its = rounds.flatMap(({ batch }) => (batch === null ? [] : [batch]))
  return its.length === 0 ? '1' : ranged(spread(its), 1)
}]
const latencies: readonly Column[] = [['p50 ms', medianOf(({ p50Ms }) => p50Ms)], ['p99 ms', medianOf(({ p99Ms }) => p99Ms)]]
const errors: Column = ['errors', errorsOf]

export function errorsOf(rounds: readonly Round[]): string {
  const all = new Map<string, number>()
  for (const round of rounds) {
    for (const [what, count] of Object.entries(round.errors)) all.set(what, (all.get(what) ?? 0) + count)
  }
  return all.size === 0 ? '0' : [...all].map(([what, count]) => `${what}: ${count}`).join(', ')
}

/** Says how busy the load was: a load that fills its core bounds the rate. */
export function loadLines(rounds: readonly Round[]): string[] {
  const most = Math.max(...rounds.map(({ loadCores }) => loadCores))
  return [
    `The load itself kept ${ranged(spread(rounds.map(({ loadCores }) => loadCores)), 2)} cores busy${most < 0.9 ? '' : ': **near a full core, so in some rounds it is the load that bounds the rate**, and the CPU a request tells more'}. What was not`,
    `part of the bench took ${ranged(spread(rounds.map(({ otherCores }) => otherCores)), 2)} cores in the meantime (Postgres and workers, where they take part, are counted there).`,
  ]
}

function roundsTable(columns: readonly Column[], rows: readonly (readonly [string, readonly Round[]])[]): string {
  return table(['', ...columns.map(([title]) => title)], rows.map(([name, rounds]) => [name, ...columns.map(([, figure]) => figure(rounds))]))
}

const all = ({ ours, theirs }: Beside): Round[] => [...ours, ...theirs]

export function linesSection(lines: Beside): string[] {
  return [
    '',
    `## Carts of ${lineCount} items`,
    '',
    `${crowd} connections. Each cart takes one unit of each of ${lineCount} hot items; the empty POST has the same body, and answers with such a cart.`,
    '',
    roundsTable([rateOf('requests'), serverCpu, redisCpu, ...latencies, errors], [[`durable cart of ${lineCount} items`, lines.ours], ['empty POST', lines.theirs]]),
    '',
    'After every round: as many carts in Redis as were answered with 201, and as many units held of each item.',
    '',
    ...loadLines(all(lines)),
  ]
}

export function readsSection({ item, sale }: Reads): string[] {
  return [
    '',
    '## What a storefront reads',
    '',
    `${crowd} connections. \`GET /v1/sales/{id}/items/{sku}\`, and \`GET /v1/sales/{id}\` of a sale with ${saleItems} items, with live stock; each beside an empty GET`,
    "that answers with a constant object, the API's own answer, through the same response schema.",
    '',
    roundsTable([rateOf('requests'), serverCpu, redisCpu, ...latencies, errors], [
      ['item page', item.ours], ['empty GET of it', item.theirs], [`sale of ${saleItems} items`, sale.ours], ['empty GET of it', sale.theirs],
    ]),
    '',
    'Before the rounds: the empty GET and the API answer with the same text. After every round: the counters in Redis are what they were.',
    '',
    ...loadLines([...all(item), ...all(sale)]),
  ]
}

export function redisSection(redis: Beside): string[] {
  return [
    '',
    '## What a hold costs Redis',
    '',
    `Durable holds through the API at ${crowd} connections, beside the shortest script that does not oversell (\`bench/peers/script.ts\`: if stock ≥ n then`,
    `\`decrby\`; no cart, no deadline, no idempotency) called from a process of its own by ${crowd} callers over one connection, one call a hold. The same Redis, \`appendfsync always\`.`,
    'CPU is that of the Redis process, user and system, from `INFO cpu`.',
    '',
    roundsTable([rateOf('holds'), redisCpu, batches, ...latencies, errors], [['durable hold', redis.ours], ['bare script', redis.theirs]]),
    '',
    'After every round: units held and carts as many as were answered, and the bare counter less by every call that was.',
    '',
    ...loadLines(redis.ours),
  ]
}

export function postgresSection(postgres: Beside): string[] {
  return [
    '',
    '## Holds on Postgres alone',
    '',
    `The same route at ${crowd} connections on plain Fastify and Postgres (\`bench/peers/postgres.ts\`): one prepared statement that updates the item where enough is`,
    'available and inserts the hold, a pool of 10, durable commits. All want the one hot item.',
    '',
    roundsTable([rateOf('holds'), serverCpu, ...latencies, errors], [['durable hold', postgres.ours], ['Postgres alone', postgres.theirs]]),
    '',
    'After every round: units and carts as many as were answered, in Redis and in Postgres.',
    '',
    ...loadLines(all(postgres)),
  ]
}

export function purchasesSection(purchases: Beside, cores: number): string[] {
  return [
    '',
    '## Whole purchases',
    '',
    `A cart of one hot item, its checkout, its payment (\`tok_ok\`), by ${crowd} customers at once, until Postgres has the order: ${cores} cores for everything. The engine is one`,
    'API process and one worker, and its clock ends when Postgres has every order. Postgres alone is the same three routes, each one prepared statement (`bench/peers/postgres.ts`),',
    'and its clock ends with the last answer; it calls no provider, keeps no ledger, and does not tell held from sold: all of that is in its favour.',
    '',
    roundsTable([
      rateOf('purchases'), ['CPU of the server process, µs a purchase', serverCpu[1]], ['CPU of Redis, µs a purchase', redisCpu[1]],
      ['p50 ms a request', latencies[0]![1]], ['p99 ms a request', latencies[1]![1]], errors,
    ], [['the engine', purchases.ours], ['Postgres alone', purchases.theirs]]),
    '',
    `The engine was ${ranged(ratios(purchases.ours, purchases.theirs, ({ rate }) => rate), 1)} times as fast. After every round: every order, its payment, its line and its unit once, in Redis and in`,
    'Postgres, and not one request refused.',
    '',
    ...loadLines(all(purchases)),
  ]
}
