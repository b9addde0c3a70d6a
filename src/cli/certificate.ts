/** `npm run certificate -- <saleId> [<file>]`: writes the certificate of a closed sale to a file. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { runTool, ToolError } from './tool.js'

await runTool(async ({ database }) => {
  const [saleId, file = `${saleId}.certificate`, ...rest] = process.argv.slice(2)
  if (saleId === undefined || rest.length > 0) throw new ToolError('Which sale? npm run certificate -- <saleId> [<file>]')
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(saleId)) throw new ToolError('There is no such sale.')
  const out = create(file)
  try {
    const made = await database.exportCertificate(saleId, (line) => void writeSync(out, line))
    if (made === null) throw new ToolError('There is no certificate: no such sale, or it is not closed yet. It closes once it has ended and nothing of it is held, pending or on its way to Postgres.')
    console.log(`${file}: ${made.entries} entries, hash ${made.hash}`)
    return 0
  } catch (error) {
    rmSync(file)
    throw error
  } finally {
    closeSync(out)
  }
})

/** Never over a file that is there. */
function create(file: string): number {
  try {
    return openSync(file, 'wx')
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? new ToolError(`${file} is there already.`) : error
  }
}
