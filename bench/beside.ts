/** Durable holds beside what else could hold: a bare script in Redis, and Postgres alone. */
import { startApi } from './api.js'
import { ask, contest, type Contestant, crowd, startLoad } from './contest.js'
import { mustBe } from './figures.js'
import { holds, openSale, openUnits, warmUp } from './holds.js'
import type { LoadResult } from './load.js'
import type { BareHolds } from './peers/script.js'
import { openPostgresShop, postgresHolds } from './postgres-shop.js'
import { startOwn } from './processes.js'
import type { Beside } from './reads.js'
import { forgetSale } from './shop.js'
import type { Stage } from './stage.js'

const stockKey = 'bench:bare:stock'

/** Durable holds, and as many calls of the shortest script from as many callers. */
export async function measureRedis(stage: Stage, pairs: number, seconds: number): Promise<Beside> {
  const script = stage.own(startOwn('./peers/script.ts', [stage.redisUrl, stockKey]))
  await stage.redis.set(stockKey, openUnits)
  let taken = 0
  const bare: Contestant = {
    name: 'bare script',
    server: script,
    warmUp,
    run: (amount) => ask<LoadResult>(script, { amount, callers: crowd } satisfies BareHolds),
    async check({ answers }) {
      taken += answers
      mustBe('units that the bare script left', Number(await stage.redis.get(stockKey)), openUnits - taken)
    },
  }
  const beside = await besideHolds(stage, 'bench-redis', bare, pairs, seconds)
  await script.stop()
  await stage.redis.unlink(stockKey)
  return beside
}

/** Durable holds of one hot item, and the same route on Postgres alone. */
export async function measurePostgres(stage: Stage, pairs: number, seconds: number): Promise<Beside> {
  const shop = await openPostgresShop(stage, 'bench-postgres-alone')
  const load = startLoad(stage)
  const beside = await besideHolds(stage, 'bench-postgres', postgresHolds(stage, shop, load), pairs, seconds)
  await Promise.all([shop.server, load].map((own) => own.stop()))
  return beside
}

async function besideHolds(stage: Stage, saleId: string, other: Contestant, pairs: number, seconds: number): Promise<Beside> {
  const sale = await openSale(stage, saleId, [`${saleId}-hot`])
  const load = startLoad(stage)
  const api = await startApi(stage)
  const [ours = [], theirs = []] = await contest(stage, [holds(stage, 'hold', api, load, sale, crowd), other], pairs, seconds)
  await Promise.all([api, load].map((own) => own.stop()))
  await forgetSale(stage, saleId)
  return { ours, theirs }
}
