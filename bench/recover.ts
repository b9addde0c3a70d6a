/**
 * A sale that Redis has lost with its disk comes back: how long `npm run recover` takes with as many paid orders in Postgres,
 * and how long it takes to verify the certificate of such a sale.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { audit } from '../src/audit.js'
import { isRefusal } from '../src/problems.js'
import { certifyClosed } from '../workers/certify.js'
import { DoesNotCount, mustBe } from './figures.js'
import { runBuilt } from './processes.js'
import { type PaidSale, seedPaidOrders } from './seed.js'
import { accepted, countersOf, publishSale } from './shop.js'
import type { Stage } from './stage.js'

/** Paid orders of one sale. */
export const recoveredOrders = 100_000
const itemCount = 20
const allocation = 1_000_000

export interface Recovery {
  /** From the start of the process until it has ended, in seconds. */
  readonly recoverSeconds: number
  readonly verifySeconds: number
}

/** Needs a stage on which nothing of before is needed any more: its Redis is emptied. */
export async function measureRecoveries(stage: Stage, turns: number): Promise<Recovery[]> {
  const recoveries: Recovery[] = []
  // Redis is whole again once no running sale is missing: those of before do not come back.
  await stage.postgres.query('update sales set closed_at = now() where closed_at is null')
  for (let turn = 1; turn <= turns; turn += 1) {
    const recovery = await recoverOnce(stage, `bench-recover-${turn}`)
    const { recoverSeconds, verifySeconds } = recovery
    stage.say(`  turn ${turn} of ${turns}: back after ${recoverSeconds.toFixed(2)} s; its certificate verified in ${verifySeconds.toFixed(2)} s`)
    recoveries.push(recovery)
  }
  return recoveries
}

async function recoverOnce(stage: Stage, saleId: string): Promise<Recovery> {
  const skus = Array.from({ length: itemCount }, (_, i) => `${saleId}-item-${i}`)
  await publishSale(stage, saleId, skus, allocation)
  const sold = await seedPaidOrders(stage, saleId, skus, recoveredOrders)
  await stage.redis.flushdb()

  const recovered = await runBuilt('src/cli/recover.js', [saleId], environment(stage))
  const units = [...sold.units.values()].reduce((sum, count) => sum + count, 0)
  mustBe('what is told of it', new RegExp(`^${saleId} is back .*, under epoch 2: ${units} units are sold`).test(recovered.said), true)
  await verify(stage, saleId, sold)
  return { recoverSeconds: recovered.seconds, verifySeconds: await verifyCertificate(stage, saleId, sold.orders) }
}

const environment = ({ redisUrl, databaseUrl }: Stage): NodeJS.ProcessEnv => ({ ...process.env, REDIS_URL: redisUrl, DATABASE_URL: databaseUrl })

/** The sale sells what Postgres says is left, to the unit, and an audit finds every promise kept. */
async function verify(stage: Stage, saleId: string, { orders, lines, units }: PaidSale): Promise<void> {
  for (const [sku, soldUnits] of units) {
    const { available, held, sold } = await countersOf(stage, saleId, sku)
    mustBe(`units of ${sku} that are available`, available, allocation - soldUnits)
    mustBe(`units of ${sku} that are sold`, sold, soldUnits)
    mustBe(`units of ${sku} that are held`, held, 0)
  }
  const report = accepted(await audit(saleId, stage.engine, stage.database))
  mustBe('violations that an audit found', JSON.stringify(report.violations), '[]')
  mustBe('items that it looked at', report.items.length, units.size)
  for (const { sku, sold, persisted } of report.items) mustBe(`units of ${sku} in orders`, persisted, sold)
  const { rows: [found] } = await stage.postgres.query<{ orders: number; lines: number }>(
    `select count(distinct order_id)::integer as orders, count(*)::integer as lines from orders join order_lines using (order_id) where sale_id = $1`, [saleId])
  mustBe('orders in Postgres', found?.orders ?? 0, orders)
  mustBe('lines of them', found?.lines ?? 0, lines)
}

/** Ends the sale, has it certified as a worker does, exports the certificate, and takes the time of its verification. */
async function verifyCertificate(stage: Stage, saleId: string, orders: number): Promise<number> {
  const { engine, database } = stage
  const ended = await engine.control(saleId, 'end')
  if (isRefusal(ended) || !(await engine.close({ saleId, shard: 0 }))) throw new DoesNotCount(`${saleId} cannot be closed`)
  await database.markClosed(saleId)
  await certifyClosed(engine, database, saleId)
  const folder = await mkdtemp(join(tmpdir(), 'flash-sale-certificate-'))
  try {
    const file = join(folder, `${saleId}.certificate`)
    await runBuilt('src/cli/certificate.js', [saleId, file], environment(stage))
    const { seconds, said } = await runBuilt('src/cli/verify.js', [file])
    mustBe('what is told of the certificate', said.includes(`holds: sale ${saleId}, ${orders} entries, ${orders} orders sold`), true)
    return seconds
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
