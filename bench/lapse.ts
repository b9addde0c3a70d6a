/** A crowd of holds that lapse within one second, while others go on holding: what that costs them, and when all units are back. */
import { isRefusal } from '../src/problems.js'
import { seedLapsing } from './carts.js'
import { DoesNotCount, mustBe, type Spread, spread } from './figures.js'
import { type Ground, type HoldRound, inPairs, type Pairs, type Service, takeHolds } from './service.js'
import { countersOf, publishSale } from './shop.js'
import type { Stage } from './stage.js'

const hot = 'bench-held'
const lapsing = 'bench-lapsing'
const allocation = 100_000_000
/** How long holds are taken before the first of the others lapses, in ms; and after the last. */
const leadMs = 250
/** A round is what comes before, the second in which they lapse, and as much after. */
const roundSeconds = 1 + (2 * leadMs) / 1_000
/** How long all of them may take to come back before the run does not count, in ms. */
const backWithinMs = 30_000

export interface Lapse extends Pairs {
  readonly carts: number
  /** From when the first lapsed until every unit of them was available, in seconds. */
  readonly backSeconds: Spread
}

export async function measureLapse(ground: Ground, service: Service, carts: number, connections: number, pairs: number): Promise<Lapse> {
  const { stage } = ground
  const back: number[] = []
  const skusOf = (saleId: string) => ({ held: `${saleId}-${hot}`, lapsing: `${saleId}-${lapsing}` })
  /** A sale with as many live carts, of which none lapses, or all. */
  async function round(saleId: string, lapse: boolean): Promise<HoldRound> {
    const skus = skusOf(saleId)
    await publishSale(stage, saleId, [skus.held, skus.lapsing], allocation)
    const moveOn = await seedLapsing(stage, saleId, skus.lapsing, carts)
    mustBe(`units held of ${skus.lapsing}`, (await countersOf(stage, saleId, skus.lapsing)).held, carts)
    // Either way the sale's time moves on: to right before they lapse, or to a minute before that.
    await moveOn(lapse ? leadMs : 60_000)
    const started = performance.now()
    const watching = lapse ? untilBack(stage, saleId, skus.lapsing, started + leadMs, started + roundSeconds * 1_000) : null
    const taken = await takeHolds(ground, service, { saleId, skus: [skus.held], connections, seconds: roundSeconds })
    const backSeconds = await watching
    if (backSeconds !== null) back.push(backSeconds)
    mustBe(`units held of ${skus.held}`, (await countersOf(stage, saleId, skus.held)).held, taken.holds)
    mustBe(`units held of ${skus.lapsing} in the end`, (await countersOf(stage, saleId, skus.lapsing)).held, lapse ? 0 : carts)
    return taken
  }
  const measured = await inPairs(pairs, (pair) => round(`bench-lapse-${pair}`, true), (pair) => round(`bench-calm-${pair}`, false), (pair, ours, theirs) =>
    stage.say(`  ${pair === 0 ? 'warm-up' : `pair ${pair} of ${pairs}`}, ${carts} holds lapse: ${Math.round(ours.rate)}/s beside ${Math.round(theirs.rate)}/s, p99 ${ours.p99Ms.toFixed(1)} beside ${theirs.p99Ms.toFixed(1)} ms, back after ${back.at(-1)!.toFixed(2)} s`))
  return { ...measured, carts, backSeconds: spread(back.slice(1)) }
}

/** @returns how long after `fromMs` every unit was available again, in seconds */
async function untilBack(stage: Stage, saleId: string, sku: string, fromMs: number, roundEndsMs: number): Promise<number> {
  for (;;) {
    // While holds are taken, they give back what has lapsed; nobody here helps them. Afterwards whoever looks does.
    const now = performance.now()
    if (now > roundEndsMs) {
      const item = await stage.engine.item(saleId, sku)
      if (isRefusal(item)) throw new DoesNotCount(`${sku} cannot be looked at: ${item.refused}`)
    }
    const { held } = await countersOf(stage, saleId, sku)
    if (held === 0) return (performance.now() - fromMs) / 1_000
    if (now - fromMs > backWithinMs) throw new DoesNotCount(`${held} units of ${sku} have lapsed and are not back after ${backWithinMs / 1_000} s`)
    await new Promise((resume) => { setTimeout(resume, 10) })
  }
}
