/**
 * A call of hold.lua. In a flash sale most ask for the same: those of a batch who do go to Redis as one request, and come back as
 * one answer, so that what is decided once is written and read once. Whoever wants the same item as somebody before keeps their turn.
 */
import type { Redis } from 'ioredis'
import type { Cart } from '../contract.js'
import { type LocalId, newLocalId } from '../ids.js'
import type { Shard } from '../keys.js'
import { runScript } from './scripts.js'

/** A new cart of one item, without an idempotency key. */
const ofOneItem = /^C \. \. ([\w-]+)=\d+$/
/** How the words of carts begin that were made with one answer, each with an id of its own. */
const madeAtOnce = 'OK open . '
/** Words of such an answer before its lines, and words of a line. */
const headWords = 5
const lineWords = 6

/** What is said once of several new carts that are alike. */
export class Made {
  /** What the first of them is, once somebody has decoded it. */
  first: Cart | undefined
  /** @param words a cart as lua/hold.lua says it, with a dot for its id */
  constructor(readonly words: string) {}
}

/** The reply to the request for one of them. */
export class MadeAlike {
  constructor(readonly made: Made, readonly id: LocalId, readonly before: number, readonly epoch: number) {}

  /** The cart's own words: its id, and what those before it took is no longer available. */
  get words(): string {
    const words = this.made.words.split(' ')
    words[2] = this.id
    for (let i = headWords; i + lineWords <= words.length; i += lineWords) {
      const taken = Number(words[i + 1]) * this.before
      words[i + 4] = String(Number(words[i + 4]) - taken)
      words[i + 5] = String(Number(words[i + 5]) + taken)
    }
    return words.join(' ')
  }
}

/**
 * @param ids for the cart that each request may make
 * @returns the epoch and one reply a request, in their order: its words, or what it has in common with others; or the word NO_SALE
 */
export async function runHolds(redis: Redis, shard: Shard, requests: readonly string[], ids: readonly LocalId[] = requests.map(newLocalId)): Promise<unknown> {
  const runs = runsOf(requests)
  const places = runs.flatMap((run) => run.places)
  const args: (string | number)[] = [ids.length]
  for (const place of places) args.push(ids[place]!)
  for (const run of runs) args.push(run.request, run.places.length)
  const answers = await runScript(redis, 'hold', shard, args)
  if (!Array.isArray(answers)) return answers

  const [epoch, ...shared] = answers.map(String)
  const replies: (string | MadeAlike | undefined)[] = [epoch]
  let answered = 0
  for (const answer of shared) {
    const space = answer.indexOf(' ')
    const until = Math.min(places.length, answered + Number(answer.slice(0, space)))
    const words = answer.slice(space + 1)
    const made = words.startsWith(madeAtOnce) ? new Made(words) : null
    for (let before = 0; answered < until; before += 1, answered += 1) {
      const place = places[answered]!
      replies[place + 1] = made === null ? words : new MadeAlike(made, ids[place]!, before, Number(epoch))
    }
  }
  return replies
}

interface Run {
  readonly request: string
  /** Where it stands among all. */
  readonly places: number[]
}

/** @returns those who ask for the same as one, in the order in which it was asked for first */
function runsOf(requests: readonly string[]): Run[] {
  const runs: Run[] = []
  // The last run of each item, as long as all that came since are carts of one other item: those have nothing to do with each other.
  const lastOf = new Map<string, Run>()
  let last: Run | undefined
  requests.forEach((request, place) => {
    if (last?.request !== request) {
      const sku = ofOneItem.exec(request)?.[1]
      last = sku === undefined ? undefined : lastOf.get(sku)
      if (last?.request !== request) {
        runs.push(last = { request, places: [] })
        if (sku === undefined) lastOf.clear()
        else lastOf.set(sku, last)
      }
    }
    last.places.push(place)
  })
  return runs
}
