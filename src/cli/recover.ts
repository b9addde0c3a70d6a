/**
 * `npm run recover -- <saleId>`: brings a sale back that Redis has lost with its disk, from what Postgres knows of it, under a
 * new epoch. What nobody but the provider remembers is asked of the provider, and given back.
 */
import { parseId } from '../ids.js'
import type { ProviderPayment } from '../outbox.js'
import { isRefusal } from '../problems.js'
import { runTool, type Tool, ToolError } from './tool.js'

/** Payments of the provider that Postgres is asked about at once. */
const batchBound = 500

await runTool(async (tool) => {
  const { engine, database } = tool
  const [saleId, ...rest] = process.argv.slice(2)
  if (saleId === undefined || rest.length > 0) throw new ToolError('Which sale? npm run recover -- <saleId>')
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(saleId)) throw new ToolError('There is no such sale.')
  const unfinished = await engine.recovering(saleId)
  const lives = await engine.lives(saleId)
  if (lives && unfinished === null) throw new ToolError(`${saleId} lives: Redis has it, and there is nothing to recover.`)
  const epoch = lives && unfinished !== null ? unfinished : await bringBack(tool, saleId)

  const lost = []
  for (const other of await database.runningSales()) if (!(await engine.lives(other))) lost.push(other)
  if (lost.length === 0) await engine.markWhole()
  if (lost.length > 0) console.log(`Still lost, and closed until they are recovered: ${lost.join(', ')}.`)

  const given = await giveBack(tool, saleId, epoch)
  await engine.recovered(saleId)
  if (given > 0) console.log(`${given} payments were taken for orders that nobody knows any more: a worker gives them back.`)
  if (lives) console.log(`${saleId} had come back before: what was left of its recovery is done.`)
  return 0
})

/** @returns the epoch that the sale sells under from now on */
async function bringBack({ engine, database }: Tool, saleId: string): Promise<number> {
  const from = performance.now()
  const found = await database.recoverableSale(saleId)
  if (isRefusal(found)) throw new ToolError(found.refused === 'sale_state' ? `${saleId} is closed: it sells nothing any more.` : 'There is no such sale.')
  const { definition, lost } = found
  if (!(await engine.recover(definition, lost))) throw new ToolError(`${saleId} lives: somebody else has recovered it just now.`)
  const units = [...lost.sold.values()].reduce((sum, sold) => sum + sold, 0)
  console.log(`${saleId} is back after ${Math.round(performance.now() - from)} ms, under epoch ${lost.epoch}: ${units} units are sold; carts and unpaid orders of before have lapsed.`)
  return lost.epoch
}

/** Payments that the provider took for this sale and that Postgres has never heard of go the way of late ones. */
async function giveBack(tool: Tool, saleId: string, epoch: number): Promise<number> {
  let given = 0
  let batch: ProviderPayment[] = []
  for await (const payment of tool.provider.taken()) {
    const id = parseId('o', payment.orderId)
    if (id === null || id.saleId !== saleId || id.epoch >= epoch) continue
    if (batch.push(payment) < batchBound) continue
    given += await settleUnheardOf(tool, batch)
    batch = []
  }
  return given + (await settleUnheardOf(tool, batch))
}

async function settleUnheardOf({ engine, database }: Tool, payments: readonly ProviderPayment[]): Promise<number> {
  const unheard = await database.unheardOf(payments.map(({ paymentId }) => paymentId))
  await Promise.all(payments.map(async (payment) => unheard.has(payment.paymentId) && engine.settlePayment(payment, 'succeeded')))
  return unheard.size
}
