/**
 * A call of hold.lua. In a flash sale most ask for the same: those of a batch who do go to Redis as one request, and come back as
 * one answer, so that what is decided once is written and read once. Whoever wants the same item as somebody before keeps their turn.
 */
import type { Redis } from 'ioredis'
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

/**
 * @param ids for the cart that each request may make
 * @returns the epoch and one reply a request, in their order; or the word NO_SALE
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
  const replies = [epoch]
  let answered = 0
  for (const answer of shared) {
    const space = answer.indexOf(' ')
    const until = Math.min(places.length, answered + Number(answer.slice(0, space)))
    const wordsOf = own(answer.slice(space + 1))
    for (let before = 0; answered < until; before += 1, answered += 1) {
      const place = places[answered]!
      replies[place + 1] = wordsOf(ids[place]!, before)
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

/** @returns what those who have an answer in common are told: by their own id, and how many of them came before */
function own(words: string): (id: LocalId, before: number) => string {
  if (!words.startsWith(madeAtOnce)) return () => words
  const parts = words.split(' ')
  const lines: { readonly head: string; readonly taken: number; readonly available: number; readonly others: number }[] = []
  let start = ` ${parts[3]!} ${parts[4]!}`
  for (let i = headWords; i + lineWords <= parts.length; i += lineWords) {
    lines.push({
      head: `${start} ${parts.slice(i, i + 4).join(' ')} `,
      taken: Number(parts[i + 1]),
      available: Number(parts[i + 4]),
      others: Number(parts[i + 5]),
    })
    start = ''
  }
  return (id, before) => {
    let reply = `OK open ${id}`
    for (const { head, taken, available, others } of lines) reply += `${head}${available - taken * before} ${others + taken * before}`
    return reply
  }
}
