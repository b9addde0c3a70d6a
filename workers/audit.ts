/** Audits of the sales that run: a promise that is broken is told at once, with its numbers. */
import { audit } from '../src/audit.js'
import type { Database } from '../src/database.js'
import type { Engine } from '../src/engine/engine.js'
import { type Shard, strayShard } from '../src/keys.js'
import type { Logger } from '../src/log.js'
import { isRefusal } from '../src/problems.js'

/** How often a sale is audited, by whichever worker comes first, in milliseconds. */
export const auditEveryMs = 10_000

export async function auditSale(engine: Engine, database: Database, log: Logger, shard: Shard): Promise<void> {
  if (shard.saleId === strayShard.saleId || !(await engine.mayAudit(shard, auditEveryMs))) return
  const report = await audit(shard.saleId, engine, database)
  if (isRefusal(report) || report.ok) return
  for (const violation of report.violations) {
    const item = report.items.find(({ sku }) => sku === violation.sku)
    log.error({ saleId: shard.saleId, ...violation, ...(item && { item }) }, 'an audit has found a promise broken')
  }
}
