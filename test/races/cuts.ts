/**
 * Replies of every script are lost, in an order and at moments that a seed decides, while several ask at once. Whoever was not
 * answered asks again, and in the end every unit, key and payment is counted: each effect is there once.
 */
import type { Test } from 'tap'
import { type ScriptName, scriptNames, scripts } from '../../src/engine/scripts.js'
import { type Random, random } from './buyer.js'
import type { Caller } from './cut-callers.js'
import { customersOf } from './cut-customers.js'
import { staffOf } from './cut-staff.js'
import { type Book, type CutShop, openCutShop } from './cut-shop.js'
import type { Loss, Manner } from './lossy.js'

/** Replies of each script that are lost in one sale, before it is counted. */
const cutsInOneSale = 4
/** Callers of the script whose reply is lost, at the most, and others who ask meanwhile. */
const callersBound = 6
const othersBound = 4
/** How often somebody asks again before that counts as never being answered. */
const asksBound = 10
/** Of a hundred lost replies: those where nothing comes in their stead, and those where the one to whoever asks again is lost as well. */
const silentShare = 3
const againShare = 30

/** @param cuts how many replies are lost at the least: as many of every script */
export async function loseReplies(t: Test, cuts: number, seed: number): Promise<void> {
  const dice = random(seed)
  const shop = await openCutShop(t, dice)
  const tally = { lost: new Map<ScriptName, number>(), silent: 0, largest: 0, shared: 0 }
  const each = Math.ceil(cuts / scriptNames.length)
  for (let done = 0; done < each; done += cutsInOneSale) {
    const book = await shop.openSale()
    const briefSaleId = await shop.publish({ holdSeconds: 60 })
    const turns = scriptNames.flatMap((name) => Array.from<ScriptName>({ length: Math.min(cutsInOneSale, each - done) }).fill(name))
    while (turns.length > 0) {
      const [name] = turns.splice(dice.below(turns.length), 1)
      await round(shop, book, briefSaleId, name!, tally)
    }
    await shop.closeSale(book)
  }
  t.comment([...tally.lost].map(([name, count]) => `${name} ${count}`).join(', '))
  t.comment(`${tally.silent} of them without a word, ${tally.shared} for several requests at once, ${tally.largest} at the most`)
  t.strictSame(scriptNames.filter((name) => (tally.lost.get(name) ?? 0) < each), [], `replies of every script were lost ${each} times or more`)
  t.ok(tally.largest > 1, 'some of them to several requests at once')
}

interface Tally {
  readonly lost: Map<ScriptName, number>
  silent: number
  /** Requests that one lost reply was for, at the most. */
  largest: number
  /** Lost replies that were for several. */
  shared: number
}

async function round(shop: CutShop, book: Book, briefSaleId: string, name: ScriptName, tally: Tally): Promise<void> {
  const { t, dice } = shop
  const customers = customersOf(shop, book)
  const all: Readonly<Record<ScriptName, () => Promise<Caller>>> = { ...customers, ...staffOf(shop, book, briefSaleId) }
  // A turn of a worker, or what changes a whole sale, is done by one.
  const isCrowd = name in customers
  const callers: Caller[] = []
  for (let count = isCrowd ? 1 + dice.below(callersBound) : 1; count > 0; count -= 1) callers.push(await all[name]())
  const others: Caller[] = []
  for (let count = dice.below(othersBound + 1); count > 0; count -= 1) others.push(await dice.pick(Object.values(customers))())

  const lose = (): { loss: Loss; manner: Manner } => {
    const manner = dice.chance(silentShare) ? 'silence' : 'break'
    return { manner, loss: shop.line.loseReply(scripts[name].digest, manner) }
  }
  let waiting = shuffled([...callers, ...others], dice)
  for (let asks = 0; waiting.length > 0; asks += 1) {
    if (asks === asksBound) throw new Error(`${waiting.length} were never answered`)
    const lost = asks === 0 || (asks === 1 && dice.chance(againShare)) ? lose() : null
    const answered = await Promise.all(waiting.map((caller) => caller.ask()))
    const unanswered = waiting.filter((_, i) => !answered[i])
    lost?.loss.end()
    if (lost !== null && lost.loss.args !== null) note(lost.loss.args, lost.manner, unanswered.length)
    else if (asks === 0) t.fail(`nobody ran the script ${name}`)
    await shop.serves()
    for (const caller of unanswered) await caller.meanwhile?.()
    waiting = unanswered
  }
  for (const caller of [...callers, ...others]) await caller.done()

  function note(args: readonly string[], manner: Manner, unanswered: number): void {
    tally.lost.set(name, (tally.lost.get(name) ?? 0) + 1)
    if (manner === 'silence') tally.silent += 1
    const requests = !isCrowd || name === 'stray' ? 1 : name === 'hold' ? Number(args[0]) : args.length
    if (requests > 1) tally.shared += 1
    tally.largest = Math.max(tally.largest, requests)
    if (unanswered < requests) t.fail(`the reply of ${name} to ${requests} requests was lost, and ${unanswered} heard so`)
  }
}

function shuffled<T>(list: T[], dice: Random): T[] {
  const rest = [...list]
  return list.map(() => rest.splice(dice.below(rest.length), 1)[0]!)
}
