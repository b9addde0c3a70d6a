/** Audits of the sales that run: a promise that is broken is told at once, with its numbers. */
import { audit } from '../src/audit.js'
import type { Database } from '../src/database.js'
import type { Engine } from '../src/engine/engine.js'
import { type Shard, strayShard } from '../src/keys.js'
import type { Logger } from '../src/log.js'
import { isRefusal } from '../src/problems.js'
import type { ClosedSales } from './sweep.js'

/** How often a sale is audited, by whichever worker comes first, in milliseconds. */
const auditEveryMs = 10_000
/** The part of a worker's time that audits may take: one of a million orders has Postgres busy for seconds. */
const auditShare = 0.1

/**
 * Audits every sale that is not closed, one a turn: all of them together take one connection to Postgres from those that persist
 * orders, and a drain waits for one of them.
 * @returns a turn, which returns how many milliseconds to wait for the next
 */
export function createAudits(engine: Engine, database: Database, log: Logger, closed: ClosedSales): () => Promise<number> {
  let due: Shard[] = []
  let sinceMs = 0
  return async () => {
    if (due.length === 0) {
      due = await engine.shards()
      sinceMs = performance.now()
    }
    const shard = due.pop()
    if (shard !== undefined && !closed.has(shard.saleId)) await auditSale(engine, database, log, shard)
    return due.length > 0 ? 0 : Math.max(auditEveryMs, (performance.now() - sinceMs) / auditShare)
  }
}

async function auditSale(engine: Engine, database: Database, log: Logger, shard: Shard): Promise<void> {
  if (shard.saleId === strayShard.saleId || !(await engine.mayAudit(shard, auditEveryMs))) return
  const report = await audit(shard.saleId, engine, database)
  if (isRefusal(report) || report.ok) return
  for (const violation of report.violations) {
    const item = report.items.find(({ sku }) => sku === violation.sku)
    log.error({ saleId: shard.saleId, ...violation, ...(item && { item }) }, 'an audit has found a promise broken')
  }
}
