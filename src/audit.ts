/**
 * An audit: a sale held against its promises while it runs. What is between Redis and Postgres is accounted for by the id
 * of its outbox entry, never tolerated: the counters and the last id are read in one step, then the outbox up to it, then
 * one snapshot of Postgres.
 */
import type { AuditReport } from './contract.js'
import type { Database } from './database.js'
import type { Engine } from './engine/engine.js'
import type { SoldEntry } from './outbox.js'
import { isRefusal, type Refusal } from './problems.js'

/** @throws where either store cannot say */
export async function audit(saleId: string, engine: Engine, database: Database): Promise<AuditReport | Refusal> {
  const state = await engine.state(saleId)
  if (isRefusal(state)) return state
  const waiting = await engine.soldUpTo({ saleId, shard: 0 }, state.lastEntry)
  const snapshot = await database.saleSnapshot(saleId, state.lastEntry, waiting.map(({ orderId }) => orderId))

  // What left the outbox meanwhile is in Postgres, or was set apart there; what is still in it may be in Postgres already.
  const inFlight = new Map<string, number>()
  const lacking = new Map(waiting.filter(({ orderId }) => !snapshot.orderIds.has(orderId)).map(({ outboxId, lines }) => [outboxId, lines]))
  for (const [outboxId, entry] of snapshot.setApart) lacking.set(outboxId, linesOf(entry))
  for (const lines of lacking.values()) for (const { sku, quantity } of lines) inFlight.set(sku, (inFlight.get(sku) ?? 0) + quantity)

  const items = state.items.toSorted((a, b) => (a.sku < b.sku ? -1 : 1)).map((item) => ({ ...item, persisted: snapshot.sold.get(item.sku) ?? 0, inFlight: inFlight.get(item.sku) ?? 0 }))
  const violations = [
    ...items.flatMap(judge),
    ...state.wrong.map(({ sku, detail }) => ({ rule: 'I2', ...(sku === null ? {} : { sku }), detail })),
    ...snapshot.wrong.map(({ sku, detail }) => ({ rule: 'I4', sku, detail })),
  ]
  return { ok: violations.length === 0, checkedAt: new Date(state.atMs).toISOString(), items, violations }
}

/** @returns the lines of an entry that was set apart; one that nobody can read has none, and is missed by its units */
function linesOf(entry: string): SoldEntry['lines'] {
  try {
    return (JSON.parse(entry) as { order?: { lines?: SoldEntry['lines'] } | null }).order?.lines ?? []
  } catch {
    return []
  }
}

function judge({ sku, allocation, available, held, sold, persisted, inFlight }: AuditReport['items'][number]): AuditReport['violations'] {
  const violations = []
  if (allocation !== available + held + sold || Math.min(available, held, sold) < 0) {
    violations.push({ rule: 'I1', sku, detail: `of ${allocation} allocated, ${available} are available, ${held} held, ${sold} sold` })
  }
  if (sold !== persisted + inFlight) {
    violations.push({ rule: 'I3', sku, detail: `${sold} are sold, ${persisted} persisted and ${inFlight} on their way` })
  }
  return violations
}
