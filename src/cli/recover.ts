/**
 * `npm run recover -- <saleId>`: brings a sale back that Redis has lost with its disk, from what Postgres knows of it, under a
 * new epoch. What nobody but the provider remembers is asked of the provider, and given back.
 */
import { parseId } from '../ids.js'
import { isRefusal } from '../problems.js'
import { runTool, type Tool, ToolError } from './tool.js'

await runTool(async (tool) => {
  const { engine, database } = tool
  const [saleId, ...rest] = process.argv.slice(2)
  if (saleId === undefined || rest.length > 0) throw new ToolError('Which sale? npm run recover -- <saleId>')
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(saleId)) throw new ToolError('There is no such sale.')
  if (await engine.lives(saleId)) throw new ToolError(`${saleId} lives: Redis has it, and there is nothing to recover.`)
  const from = performance.now()
  const found = await database.recoverableSale(saleId)
  if (isRefusal(found)) throw new ToolError(found.refused === 'sale_state' ? `${saleId} is closed: it sells nothing any more.` : 'There is no such sale.')
  if (!(await engine.recover(found.definition, found.lost))) throw new ToolError(`${saleId} lives: somebody else has recovered it just now.`)
  const given = await giveBack(tool, saleId, found.lost.epoch)

  const lost = []
  for (const other of await database.runningSales()) if (!(await engine.lives(other))) lost.push(other)
  if (lost.length === 0) await engine.markWhole()
  const units = [...found.lost.sold.values()].reduce((sum, sold) => sum + sold, 0)
  console.log(`${saleId} is back after ${Math.round(performance.now() - from)} ms, under epoch ${found.lost.epoch}: ${units} units are sold; carts and unpaid orders of before have lapsed.`)
  if (given > 0) console.log(`${given} payments were taken for orders that nobody knows any more: a worker gives them back.`)
  if (lost.length > 0) console.log(`Still lost, and closed until they are recovered: ${lost.join(', ')}.`)
  return 0
})

/** Payments that the provider took for this sale and that Postgres has never heard of go the way of late ones. */
async function giveBack({ engine, database, provider }: Tool, saleId: string, epoch: number): Promise<number> {
  let given = 0
  for await (const payment of provider.taken()) {
    const id = parseId('o', payment.orderId)
    if (id === null || id.saleId !== saleId || id.epoch >= epoch) continue
    if ((await database.knownPayment(payment.paymentId)) !== null) continue
    await engine.settlePayment(payment, 'succeeded')
    given += 1
  }
  return given
}
