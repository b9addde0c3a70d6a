/** The shop on Postgres alone that the engine is compared with (peers/postgres.ts): its tables, its process, what it sold. */
import { type Server, startServer } from './api.js'
import { type Contestant, crowd, type Load } from './contest.js'
import { mustBe } from './figures.js'
import { holdStep, openUnits } from './holds.js'
import { peerItem, peerTables } from './peers/tables.js'
import { price } from './shop.js'
import type { Stage } from './stage.js'

export interface PostgresShop {
  readonly server: Server
  readonly saleId: string
  readonly sku: string
}

/** A new shop, with nothing of an earlier one. */
export async function openPostgresShop(stage: Stage, saleId: string): Promise<PostgresShop> {
  await checkDurable(stage)
  const sku = `${saleId}-hot`
  await stage.postgres.query('drop schema if exists peer cascade')
  await stage.postgres.query(peerTables)
  await stage.postgres.query(peerItem, [sku, openUnits, price.amount, price.currency])
  return { server: await startServer(stage, './peers/postgres.ts', [stage.databaseUrl, saleId]), saleId, sku }
}

/** A Postgres that may lose what it has committed would be compared with something else. */
async function checkDurable({ postgres }: Stage): Promise<void> {
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    const { rows: [row] } = await postgres.query<{ setting: string }>('select current_setting($1) as setting', [setting])
    mustBe(`${setting} of Postgres`, row?.setting ?? 'unknown', 'on')
  }
}

/** Holds of its one hot item. */
export function postgresHolds(stage: Stage, shop: PostgresShop, load: Load): Contestant {
  let carts = 0
  return {
    name: 'Postgres alone',
    server: shop.server,
    warmUp: 2_000,
    run: (walks) => load.send({ address: shop.server.address, steps: [holdStep({ saleId: shop.saleId, skus: [shop.sku] })], walks, connections: crowd }),
    async check({ answers }) {
      carts += answers
      await checkPostgresShop(stage, shop, { carts, orders: 0 })
    },
  }
}

/** To the unit: what was taken, the carts that took it, the orders, their lines and their payments. */
export async function checkPostgresShop({ postgres }: Stage, { sku }: PostgresShop, { carts, orders }: { carts: number; orders: number }): Promise<void> {
  const { rows: [found] } = await postgres.query<Record<'taken' | 'carts' | 'units' | 'orders' | 'lines' | 'payments', number>>(`
    select (select allocation - available from peer.items where sku = $1)::integer as taken,
           (select count(*) from peer.carts)::integer as carts,
           (select coalesce(sum(quantity), 0) from peer.carts where sku = $1)::integer as units,
           (select count(*) from peer.orders where status = 'paid')::integer as orders,
           (select count(*) from peer.order_lines where sku = $1)::integer as lines,
           (select count(*) from peer.payments where status = 'succeeded')::integer as payments`, [sku])
  mustBe('units that Postgres took, beside the carts that were answered', found?.taken ?? -1, carts)
  mustBe('carts in Postgres', found?.carts ?? -1, carts)
  mustBe('units of these carts', found?.units ?? -1, carts)
  mustBe('paid orders in Postgres', found?.orders ?? -1, orders)
  mustBe('lines of these orders', found?.lines ?? -1, orders)
  mustBe('payments of these orders', found?.payments ?? -1, orders)
}
