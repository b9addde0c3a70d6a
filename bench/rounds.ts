/**
 * Rounds of requests: holds, refusals in a sold-out sale, and an empty POST, in turns, each against a process of its own.
 */
import { scrape, type Server, startApi, startServer } from './api.js'
import { contest, type Contestant, type Load, type Round, startLoad } from './contest.js'
import { mustBe } from './figures.js'
import { checkHeld, empties, holds, holdStep, type OpenSale, openSale, sampleCart, warmUp } from './holds.js'
import { countersOf, forgetSale, publishSale } from './shop.js'
import type { Stage } from './stage.js'

/** Connections of a round: with few, a call to Redis carries few requests, and its price is shared by few. */
export const crowds = [64, 256] as const
export type Crowd = (typeof crowds)[number]
/** Units of the sale that is sold out; all of them are in carts that do not lapse. */
const soldOutUnits = 1_000
const soldOutSale = { saleId: 'bench-sold-out', skus: ['bench-gone'] } as const
const [soldOutSku] = soldOutSale.skus

export type Kind = 'hold' | 'refusal' | 'empty'
export type Rounds = Readonly<Record<Crowd, Readonly<Record<Kind, readonly Round[]>>>>

/** Runs `pairs` rounds of each kind and crowd, of about `seconds` each. */
export async function measureRounds(stage: Stage, kinds: readonly Kind[], pairs: number, seconds: number): Promise<Rounds> {
  const open = await openSale(stage, 'bench-open', ['bench-hot'])
  await publishSale(stage, soldOutSale.saleId, soldOutSale.skus, soldOutUnits)
  const load = startLoad(stage)
  const api = await startApi(stage)
  const empty = await startServer(stage, './peers/empty.ts', [JSON.stringify({ cart: await sampleCart(api, open) })])
  const { answers } = await load.send({ address: api.address, steps: [holdStep(soldOutSale)], walks: soldOutUnits, connections: crowds[0] })
  mustBe('units that the sold-out sale gave out', answers, soldOutUnits)

  const rounds: Record<Crowd, Record<Kind, Round[]>> = { 64: none(), 256: none() }
  for (const connections of crowds) {
    stage.say(` ${connections} connections:`)
    const contestants: Record<Kind, Contestant> = {
      hold: holds(stage, 'hold', api, load, open, connections),
      refusal: refusals(stage, api, load, open, connections),
      empty: empties('empty', empty, load, holdStep(open), connections),
    }
    const its = await contest(stage, kinds.map((kind) => contestants[kind]), pairs, seconds)
    kinds.forEach((kind, i) => rounds[connections][kind].push(...its[i]!))
  }
  await Promise.all([api, empty, load].map((own) => own.stop()))
  await forgetSale(stage, open.saleId)
  await forgetSale(stage, soldOutSale.saleId)
  return rounds
}

const none = (): Record<Kind, Round[]> => ({ hold: [], refusal: [], empty: [] })

function refusals(stage: Stage, api: Server, load: Load, open: OpenSale, connections: number): Contestant {
  return {
    name: 'refusal',
    server: api,
    warmUp,
    run: (walks) => load.send({ address: api.address, steps: [{ ...holdStep(soldOutSale), expected: 409 }], walks, connections }),
    counted: () => scrape(api),
    async check({ answers }, { refused }) {
      mustBe('refusals for want of stock', refused, answers)
      const gone = await countersOf(stage, soldOutSale.saleId, soldOutSku)
      mustBe('units held in the sold-out sale', gone.held, soldOutUnits)
      mustBe('units available in the sold-out sale', gone.available, 0)
      await checkHeld(stage, open)
    },
  }
}
