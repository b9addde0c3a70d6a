/**
 * Whole purchases: a cart, its checkout, its payment, until Postgres has the order. The engine runs as one API process and one worker;
 * beside it a shop on Postgres alone, whose every answer is an order in Postgres already.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { environment, type Server, startApi } from './api.js'
import { type Contestant, crowd, type Load, type Round, runRound, startLoad, tell } from './contest.js'
import { DoesNotCount, mustBe } from './figures.js'
import { holdStep, type OpenSale, openSale, openUnits } from './holds.js'
import type { LoadResult, Step } from './load.js'
import { customer } from './orders.js'
import { checkPostgresShop, openPostgresShop, type PostgresShop } from './postgres-shop.js'
import { type Running, startBuilt } from './processes.js'
import type { Beside } from './reads.js'
import { countersOf, forgetSale } from './shop.js'
import type { Stage } from './stage.js'

/** Purchases that warm up every process before each round; a multiple of the crowd. */
const warmUp = 8 * crowd
/** The same before the very first rounds. */
const firstWarmUp = 20 * crowd
const lookMs = 10
/** How long what was paid may take to arrive after the last answer, in ms. */
const arriveWithinMs = 60_000

const stepsOf = (sale: Pick<OpenSale, 'saleId' | 'skus'>): Step[] => [
  { ...holdStep(sale), keep: 'cartId' },
  { method: 'POST', path: '/v1/carts/{id}/checkout', body: JSON.stringify({ customer }), expected: 201, keep: 'orderId' },
  { method: 'POST', path: '/v1/orders/{id}/payments', body: JSON.stringify({ paymentToken: 'tok_ok' }), expected: 200 },
]

interface Ground {
  readonly stage: Stage
  readonly load: Load
  readonly api: Server
  readonly sale: OpenSale
  readonly shop: PostgresShop
}

/** @returns rounds whose answers are orders in Postgres */
export async function measurePurchases(stage: Stage, pairs: number, seconds: number): Promise<Beside> {
  const sale = await openSale(stage, 'bench-purchases', ['bench-purchased'])
  const shop = await openPostgresShop(stage, 'bench-postgres-shop')
  const ground = { stage, load: startLoad(stage), api: await startApi(stage), sale, shop }
  const theirs = alone(ground)
  const measured: Record<'ours' | 'theirs', Round[]> = { ours: [], theirs: [] }
  const walks = { ours: firstWarmUp, theirs: firstWarmUp }
  for (let pair = 0; pair <= pairs; pair += 1) {
    for (const which of pair % 2 === 1 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const)) {
      const round = which === 'ours' ? await engineRound(ground, walks.ours) : await warmRound(stage, theirs, walks.theirs)
      const name = which === 'ours' ? 'the engine' : theirs.name
      tell(stage, pair === 0 ? `warm-up, ${name}` : `pair ${pair} of ${pairs}, ${name}`, round)
      if (pair > 0) measured[which].push(round)
      else walks[which] = crowd * Math.max(1, Math.round((round.rate * seconds) / crowd))
    }
  }
  await Promise.all([ground.api, shop.server, ground.load].map((own) => own.stop()))
  await forgetSale(stage, sale.saleId)
  return measured
}

async function warmRound(stage: Stage, contestant: Contestant, walks: number): Promise<Round> {
  await contestant.check(await contestant.run(warmUp), { calls: 0, requests: 0, refused: 0 })
  return runRound(stage, contestant, walks)
}

/** The worker is there for these rounds alone, so that its audits and sweeps take nothing from the others. */
async function engineRound(ground: Ground, walks: number): Promise<Round> {
  const worker = ground.stage.own(startBuilt('workers/worker.js', environment(ground.stage)))
  const round = await warmRound(ground.stage, engine(ground, worker), walks)
  await worker.stop()
  return round
}

function engine({ stage, load, api, sale }: Ground, worker: Running): Contestant {
  return {
    name: 'the engine',
    server: api,
    warmUp,
    async run(walks) {
      const result = await Promise.race([load.send({ address: api.address, steps: stepsOf(sale), walks, connections: crowd }), worker.ended])
      const answered = performance.now()
      sale.carts += result.answers
      await Promise.race([arrived(stage, sale), worker.ended])
      return { ...result, seconds: result.seconds + (performance.now() - answered) / 1_000 }
    },
    async check(result) {
      mustBeWhole(result)
      await checkSold(stage, sale)
    },
  }
}

/** Waits until Postgres has every order that was paid. */
async function arrived({ postgres }: Stage, { saleId, carts }: OpenSale): Promise<void> {
  const deadline = performance.now() + arriveWithinMs
  for (;;) {
    const { rows: [row] } = await postgres.query<{ sold: number }>('select sum(sold)::integer as sold from sale_items where sale_id = $1', [saleId])
    if (row?.sold === carts) return
    if (performance.now() > deadline) throw new DoesNotCount(`Postgres has ${row?.sold ?? 0} of ${carts} orders after ${arriveWithinMs / 1_000} s`)
    await delay(lookMs)
  }
}

/** Every purchase is in Redis and in Postgres, once. */
async function checkSold(stage: Stage, { saleId, skus: [sku = ''], carts }: OpenSale): Promise<void> {
  const counters = await countersOf(stage, saleId, sku)
  mustBe('units that Redis sold, beside the purchases that were answered', counters.sold, carts)
  mustBe('units that are still held', counters.held, 0)
  const { rows: [found] } = await stage.postgres.query<Record<'orders' | 'payments' | 'units' | 'quantity' | 'ledger', number>>(`
    select (select count(*) from orders where sale_id = $1 and status = 'paid')::integer as orders,
           (select count(*) from orders join payments using (order_id, payment_id) where sale_id = $1 and payments.status = 'succeeded')::integer as payments,
           (select sum(order_lines.quantity) from order_lines where sku = $2)::integer as units,
           (select quantity from items where sku = $2)::integer as quantity,
           (select sum(delta) from stock_movements where sku = $2)::integer as ledger`, [saleId, sku])
  mustBe('orders in Postgres', found?.orders ?? -1, carts)
  mustBe('payments of these orders', found?.payments ?? -1, carts)
  mustBe('units of their lines', found?.units ?? -1, carts)
  mustBe('quantity of the item in Postgres', found?.quantity ?? -1, openUnits - carts)
  mustBe('its ledger', found?.ledger ?? -1, openUnits - carts)
}

function alone({ stage, load, shop }: Ground): Contestant {
  let orders = 0
  return {
    name: 'Postgres alone',
    server: shop.server,
    warmUp,
    run: (walks) => load.send({ address: shop.server.address, steps: stepsOf({ saleId: shop.saleId, skus: [shop.sku] }), walks, connections: crowd }),
    async check(result) {
      mustBeWhole(result)
      orders += result.answers
      await checkPostgresShop(stage, shop, { carts: orders, orders })
    },
  }
}

/** A customer who was refused half-way would leave a cart that nobody counts. */
function mustBeWhole({ errors }: LoadResult): void {
  mustBe('purchases that were refused or not answered', JSON.stringify(errors), '{}')
}
