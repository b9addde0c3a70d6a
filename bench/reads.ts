/** Carts of several lines, and what a storefront reads, each beside an empty route that answers with the same. */
import type { Sale, SaleItem } from '../src/contract.js'
import { startApi, startServer, type Server } from './api.js'
import { contest, type Contestant, crowd, type Load, type Round, startLoad } from './contest.js'
import { mustBe } from './figures.js'
import { checkHeld, empties, holds, holdStep, type OpenSale, openSale, sample, sampleCart, warmUp } from './holds.js'
import type { Step } from './load.js'
import { forgetSale } from './shop.js'
import type { Stage } from './stage.js'

/** Lines of the carts that are measured. */
export const lineCount = 3
/** Items of the sale that is read. */
export const saleItems = 12

/** Rounds of the API and those of an empty route, pair by pair. */
export interface Beside {
  readonly ours: readonly Round[]
  readonly theirs: readonly Round[]
}

const skusOf = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

export async function measureLines(stage: Stage, pairs: number, seconds: number): Promise<Beside> {
  const sale = await openSale(stage, 'bench-lines', skusOf('bench-line', lineCount))
  const load = startLoad(stage)
  const api = await startApi(stage)
  const empty = await startServer(stage, './peers/empty.ts', [JSON.stringify({ cart: await sampleCart(api, sale) })])
  const [ours = [], theirs = []] = await contest(stage, [
    holds(stage, `carts of ${lineCount} items`, api, load, sale, crowd),
    empties('empty POST', empty, load, holdStep(sale), crowd),
  ], pairs, seconds)
  await Promise.all([api, empty, load].map((own) => own.stop()))
  await forgetSale(stage, sale.saleId)
  return { ours, theirs }
}

export interface Reads {
  readonly item: Beside
  readonly sale: Beside
}

export async function measureReads(stage: Stage, pairs: number, seconds: number): Promise<Reads> {
  const sale = await openSale(stage, 'bench-reads', skusOf('bench-read', saleItems))
  const load = startLoad(stage)
  const api = await startApi(stage)
  // So that what is read is not all as it was published.
  await sampleCart(api, sale)
  const page: Step = { method: 'GET', path: `/v1/sales/${sale.saleId}`, expected: 200 }
  const itemPage: Step = { ...page, path: `${page.path}/items/${sale.skus[0]}` }
  const answers = { sale: await sample<Sale>(api, page), item: await sample<SaleItem>(api, itemPage) }
  mustBe('items of the sale that is read', answers.sale.items?.length ?? 0, saleItems)
  const empty = await startServer(stage, './peers/empty.ts', [JSON.stringify(answers)])
  for (const step of [page, itemPage]) mustBe('the answer of the empty GET', JSON.stringify(await sample(empty, step)), JSON.stringify(await sample(api, step)))

  const beside = async (name: string, step: Step): Promise<Beside> => {
    const [ours = [], theirs = []] = await contest(stage, [
      reads(stage, name, api, load, sale, step), empties(`empty GET of ${name}`, empty, load, step, crowd),
    ], pairs, seconds)
    return { ours, theirs }
  }
  const measured = { item: await beside('an item', itemPage), sale: await beside(`a sale of ${saleItems} items`, page) }
  await Promise.all([api, empty, load].map((own) => own.stop()))
  await forgetSale(stage, sale.saleId)
  return measured
}

/** Reads, which change nothing. */
function reads(stage: Stage, name: string, api: Server, load: Load, sale: OpenSale, step: Step): Contestant {
  return {
    name,
    server: api,
    warmUp,
    run: (walks) => load.send({ address: api.address, steps: [step], walks, connections: crowd }),
    check: () => checkHeld(stage, sale),
  }
}
