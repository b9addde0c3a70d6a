/** Audits of the sales that run: a promise that is broken is told, with its numbers. */
import { audit } from '../src/audit.js'
import type { Database } from '../src/database.js'
import type { Engine } from '../src/engine/engine.js'
import { type Shard, strayShard } from '../src/keys.js'
import type { Logger } from '../src/log.js'
import { isRefusal } from '../src/problems.js'
import { createAttempts } from './loop.js'
import type { ClosedSales } from './sweep.js'

/** How often a sale is audited, by whichever worker comes first, in milliseconds. */
const auditEveryMs = 10_000
/** The part of a worker's time that audits may take: one of a million orders has Postgres busy for seconds. */
const auditShare = 0.1
/** The longest pause that is made for it, in milliseconds. */
const longestPauseMs = 60_000

/**
 * Audits every sale that is not closed, one after the other: all of them together take one connection to Postgres from those that
 * persist orders.
 * @returns a turn of a loop
 */
export function createAudits(engine: Engine, database: Database, log: Logger, closed: ClosedSales): (signal: AbortSignal) => Promise<number> {
  const attempt = createAttempts('audit', log)
  return async (signal) => {
    const startedMs = performance.now()
    for (const shard of await engine.shards()) {
      if (signal.aborted) break
      if (shard.saleId === strayShard.saleId || closed.has(shard.saleId)) continue
      await attempt(shard, () => auditSale(engine, database, log, shard))
    }
    return Math.min(longestPauseMs, Math.max(auditEveryMs, (performance.now() - startedMs) / auditShare))
  }
}

async function auditSale(engine: Engine, database: Database, log: Logger, shard: Shard): Promise<void> {
  if (!(await engine.mayAudit(shard, auditEveryMs))) return
  const report = await audit(shard.saleId, engine, database)
  if (isRefusal(report) || report.ok) return
  for (const violation of report.violations) {
    const item = report.items.find(({ sku }) => sku === violation.sku)
    log.error({ saleId: shard.saleId, ...violation, ...(item && { item }) }, 'an audit has found a promise broken')
  }
}
