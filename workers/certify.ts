/** The end of a sale: its results and its certificate, from the counters that it stopped at and the ledger that it left. */
import type { Database } from '../src/database.js'
import type { Engine } from '../src/engine/engine.js'
import { isRefusal } from '../src/problems.js'

/** @throws where the two do not agree: the job is tried again, and its failure told */
export async function certifyClosed(engine: Engine, database: Database, saleId: string): Promise<void> {
  const state = await engine.state(saleId)
  if (isRefusal(state)) throw new Error(`sale ${saleId} is closed, and Redis does not know it`)
  await database.certifySale(saleId, state.items.map(({ sku, allocation, available, sold }) => ({ sku, allocation, sold, givenBack: available })))
}
