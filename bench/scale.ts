/**
 * Holds where there is much of something: a million live carts, ten thousand items, a hundred thousand holds that lapse at once, two
 * API processes. Each beside little of it, in turns.
 */
import { cartsOf, seedCarts } from './carts.js'
import { mustBe, ratios, type Reach, type Spread, spread } from './figures.js'
import { type Lapse, measureLapse } from './lapse.js'
import { number, ranged, table } from './markdown.js'
import { startOwn } from './processes.js'
import { type Ground, type HoldRound, inPairs, type Pairs, type Service, startService, takeCountedHolds, warmUp } from './service.js'
import { heldIn, publishSale } from './shop.js'
import type { Stage } from './stage.js'

const connections = 64
/** With two processes each has half of them: enough for both to send full calls. */
const sharedConnections = 256
const allocation = 100_000_000
/** Live carts of the sale that the big one is compared with; each of its rounds begins with a new one. */
const fewCarts = 1_000
/** Most pairs of lapses: each needs two sales full of carts. */
const lapsePairsBound = 5

/** How much there is of everything. */
export interface Sizes {
  /** Live carts of the big sale. */
  readonly carts: number
  readonly items: number
  readonly lapsing: number
}

/** @returns the sizes that go with so many live carts; a million is what is promised */
export const sizesOf = (carts: number): Sizes => ({ carts, items: Math.max(1, Math.round(carts / 100)), lapsing: Math.max(1, Math.round(carts / 10)) })

export interface Scale {
  readonly sizes: Sizes
  readonly carts: Pairs
  readonly bytesPerCart: number
  readonly items: Pairs
  readonly lapse: Lapse
  readonly processes: Pairs
}

export async function measureScale(stage: Stage, sizes: Sizes, pairs: number, seconds: number): Promise<Scale> {
  const ground: Ground = { stage, pace: stage.own(startOwn('./pace.ts')) }
  const one = await startService(stage)
  await warmUp(ground, one)
  const processes = await measureProcesses(ground, one, pairs, seconds)
  const items = await measureItems(ground, one, sizes.items, pairs, seconds)
  const lapse = await measureLapse(ground, one, sizes.lapsing, connections, Math.min(pairs, lapsePairsBound))
  const carts = await measureCarts(ground, one, sizes.carts, pairs, seconds)
  await Promise.all([one.stop(), ground.pace.stop()])
  return { sizes, ...carts, items, lapse, processes }
}

const teller = ({ stage }: Ground, what: string, pairs: number) => (pair: number, ours: HoldRound, theirs: HoldRound) =>
  stage.say(`  ${pair === 0 ? 'warm-up' : `pair ${pair} of ${pairs}`}, ${what}: ${Math.round(ours.rate)}/s beside ${Math.round(theirs.rate)}/s`)

async function measureCarts(ground: Ground, service: Service, count: number, pairs: number, seconds: number): Promise<{ carts: Pairs; bytesPerCart: number }> {
  const { stage } = ground
  const [many, sku] = ['bench-many-carts', 'bench-many']
  await publishSale(stage, many, [sku], allocation)
  const before = await usedMemory(stage)
  await seedCarts(stage, many, sku, count)
  const bytesPerCart = ((await usedMemory(stage)) - before) / count
  mustBe('carts of the big sale', await cartsOf(stage, many), count)
  mustBe('units held in it', await heldIn(stage, many), count)
  const carts = await inPairs(pairs, () => takeCountedHolds(ground, service, { saleId: many, skus: [sku], connections, seconds }), async (pair) => {
    const few = `bench-few-carts-${pair}`
    await publishSale(stage, few, [few], allocation)
    await seedCarts(stage, few, few, fewCarts)
    return takeCountedHolds(ground, service, { saleId: few, skus: [few], connections, seconds })
  }, teller(ground, `${count} live carts`, pairs))
  return { carts, bytesPerCart }
}

async function usedMemory({ redis }: Stage): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1])
}

async function measureItems(ground: Ground, service: Service, count: number, pairs: number, seconds: number): Promise<Pairs> {
  const { stage } = ground
  const [many, one] = ['bench-many-items', 'bench-one-item']
  const skus = Array.from({ length: count }, (_, i) => `bench-item-${i}`)
  await publishSale(stage, many, skus, allocation)
  await publishSale(stage, one, [one], allocation)
  const take = (saleId: string, its: readonly string[]) => takeCountedHolds(ground, service, { saleId, skus: its, connections, seconds })
  return inPairs(pairs, () => take(many, skus), () => take(one, [one]), teller(ground, `${count} items`, pairs))
}

async function measureProcesses(ground: Ground, one: Service, pairs: number, seconds: number): Promise<Pairs> {
  const saleId = 'bench-processes'
  await publishSale(ground.stage, saleId, [saleId], allocation)
  const two = await startService(ground.stage, 2)
  await warmUp(ground, two, 2)
  const take = (service: Service) => takeCountedHolds(ground, service, { saleId, skus: [saleId], connections: sharedConnections, seconds })
  const measured = await inPairs(pairs, () => take(two), () => take(one), teller(ground, 'two processes', pairs))
  await two.stop()
  return measured
}

const rate = (round: HoldRound): number => round.rate
const costUs = ({ apiUs, redisUs }: HoldRound): number => apiUs + redisUs
const exactly = (value: number): Spread => ({ median: value, min: value, max: value })
const rates = ({ ours, theirs }: Pairs): Spread => ratios(ours, theirs, rate)

export function scaleReaches({ sizes, carts, bytesPerCart, items, lapse, processes }: Scale): Reach[] {
  const lapses = `${number(sizes.lapsing, 0)} holds lapse in a second`
  return [
    { what: `Holds at ${number(sizes.carts, 0)} live carts beside ${number(fewCarts, 0)}: rate`, bound: { atLeast: 0.9 }, unit: '×', measured: rates(carts) },
    { what: `Memory of Redis for a live cart of one line, at ${number(sizes.carts, 0)}`, bound: { atMost: 450 }, unit: ' bytes', measured: exactly(bytesPerCart) },
    { what: `Holds over ${number(sizes.items, 0)} items beside one: rate`, bound: { atLeast: 0.8 }, unit: '×', measured: rates(items) },
    { what: `${lapses}, beside none: rate of other holds`, bound: { atLeast: 0.8 }, unit: '×', measured: rates(lapse) },
    { what: `${lapses}, beside none: p99 of other holds`, bound: { atMost: 2 }, unit: '×', measured: ratios(lapse.ours, lapse.theirs, ({ p99Ms }) => p99Ms) },
    { what: `${lapses}: all of them back, from the first on`, bound: { atMost: 2 }, unit: ' s', measured: lapse.backSeconds },
    { what: 'Two API processes beside one: CPU of all of them and of Redis a hold', bound: { atMost: 1.1 }, unit: '×', measured: ratios(processes.ours, processes.theirs, costUs) },
  ]
}

export function scaleSection({ sizes, carts, bytesPerCart, items, lapse, processes }: Scale): string[] {
  const row = (name: string, its: readonly HoldRound[]) => {
    const of = (figure: (round: HoldRound) => number, digits: number) => ranged(spread(its.map(figure)), digits)
    return [name, of(rate, 0), of(({ apiUs }) => apiUs, 1), of(({ redisUs }) => redisUs, 1), of(({ p50Ms }) => p50Ms, 2), of(({ p99Ms }) => p99Ms, 2)]
  }
  const full = ranged(spread(processes.ours.map(({ redisUs }) => 1e6 / redisUs)), 0)
  return [
    '',
    '## Much of everything',
    '',
    `Durable holds of one unit, ${connections} connections (${sharedConnections} where processes are compared), each sending its next request once the last is answered; in turns, a pair at a time.`,
    `Live carts are made by the engine's own hold script, in calls of 256. The ${number(sizes.lapsing, 0)} that lapse have deadlines evenly over one second, in the middle of a round of a second and a half; the`,
    "sale's time is moved on to right before that, and their twins' to a minute before. No worker runs: what gives them back is the holds themselves.",
    '',
    table(['', 'holds/s', 'CPU of the API a hold, µs', 'CPU of Redis a hold, µs', 'p50 ms', 'p99 ms'], [
      row(`${number(sizes.carts, 0)} live carts`, carts.ours), row(`${number(fewCarts, 0)} live carts, when a round begins`, carts.theirs),
      row(`${number(sizes.items, 0)} items in turns`, items.ours), row('one item', items.theirs),
      row(`${number(sizes.lapsing, 0)} lapse`, lapse.ours), row('as many live, none lapses', lapse.theirs),
      row('two API processes', processes.ours), row('one API process', processes.theirs),
    ]),
    '',
    `A live cart of one line takes ${number(bytesPerCart, 0)} bytes of Redis' memory. At what a hold costs it with two processes, a core of Redis is full at ${full} holds a second;`,
    'the machine here is full before. After every round: units held are those that were answered, and allocation = available + held + sold of every item.',
  ]
}
