/** `npm run verify -- <file>`: verifies a certificate from its text alone; ends with 1 and the line where it does not hold. */
import { createReadStream, existsSync } from 'node:fs'
import { verify } from '../verify.js'

const [file, ...rest] = process.argv.slice(2)
try {
  if (file === undefined || rest.length > 0) throw new Error('Which file? npm run verify -- <file>')
  if (!existsSync(file)) throw new Error(`There is no file ${file}.`)
  const result = await verify(createReadStream(file, 'utf8'))
  if ('fault' in result) throw new Error(`${file}, line ${result.line}: ${result.fault}`)
  console.log(`${file} holds: sale ${result.saleId}, ${result.entries} entries, ${result.orders} orders sold, hash ${result.hash}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
