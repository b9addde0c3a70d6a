/** `npm run audit -- <saleId>`: holds a sale against its promises and prints what it found; ends with 1 where one is broken. */
import { audit } from '../audit.js'
import { isRefusal } from '../problems.js'
import { columns } from './columns.js'
import { runTool, ToolError } from './tool.js'

await runTool(async ({ engine, database }) => {
  const [saleId, ...rest] = process.argv.slice(2)
  if (saleId === undefined || rest.length > 0) throw new ToolError('Which sale? npm run audit -- <saleId>')
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(saleId)) throw new ToolError('There is no such sale.')
  const report = await audit(saleId, engine, database)
  if (isRefusal(report)) throw new ToolError('There is no such sale.')
  const head = ['sku', 'allocation', 'available', 'held', 'sold', 'persisted', 'inFlight'] as const
  console.log(columns(head, report.items.map((item) => head.map((name) => item[name]))))
  for (const { rule, sku, detail } of report.violations) console.log(`${rule}${sku === undefined ? '' : ` ${sku}`}: ${detail}`)
  console.log(report.ok ? `All holds, as of ${report.checkedAt}.` : `${report.violations.length} violations, as of ${report.checkedAt}.`)
  return report.ok ? 0 : 1
})
