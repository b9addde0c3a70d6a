/**
 * `npm run dead-orders -- list` shows what Postgres refused; `npm run dead-orders -- retry [<saleId> <outboxId>]` tries all of
 * it, or one, again. Ends with 1 where something is refused still.
 */
import type { DeadOrder } from '../database.js'
import { columns } from './columns.js'
import { runTool, type Tool, ToolError } from './tool.js'

const usage = 'npm run dead-orders -- list, or: npm run dead-orders -- retry [<saleId> <outboxId>]'

await runTool(async (tool) => {
  const [command, saleId, outboxId, ...rest] = process.argv.slice(2)
  const dead = await tool.database.deadOrders()
  if (command === 'list' && saleId === undefined) return list(dead)
  if (command !== 'retry' || rest.length > 0 || (saleId === undefined) !== (outboxId === undefined)) throw new ToolError(usage)
  const chosen = saleId === undefined ? dead : dead.filter((one) => one.saleId === saleId && one.outboxId === outboxId)
  if (saleId !== undefined && chosen.length === 0) throw new ToolError('There is no such dead order.')
  return chosen.length === 0 ? list(chosen) : retry(tool, chosen)
})

function list(dead: readonly DeadOrder[]): number {
  if (dead.length === 0) console.log('No dead orders.')
  else console.log(columns(['sale', 'outbox id', 'kind', 'sqlstate', 'since', 'reason'],
    dead.map(({ saleId, outboxId, kind, sqlstate, createdAt, reason }) => [saleId, outboxId, kind, sqlstate ?? '-', createdAt.toISOString(), reason])))
  return 0
}

async function retry({ engine, database }: Tool, chosen: readonly DeadOrder[]): Promise<number> {
  let refused = 0
  for (const { saleId, outboxId } of chosen) {
    const shard = { saleId, shard: 0 }
    const tried = await database.retryDeadOrder({ saleId, outboxId }, (_sale, id, fields) => engine.reread(shard, id, fields))
    if ('still' in tried) {
      refused += 1
      console.error(`${saleId} ${outboxId}: refused still, ${tried.still}`)
      continue
    }
    await engine.acknowledge(shard, [tried.entry])
    console.log(`${saleId} ${outboxId}: persisted`)
  }
  // As Postgres has it now, so that a retry that was cut here leaves no sale open for good.
  const left = await database.deadOrders()
  for (const saleId of new Set(chosen.map((one) => one.saleId))) {
    await engine.setDead({ saleId, shard: 0 }, left.filter((one) => one.saleId === saleId).length)
  }
  return refused > 0 ? 1 : 0
}
