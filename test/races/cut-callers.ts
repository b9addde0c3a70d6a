/** Whoever asks: over HTTP, or as the loop of a worker. Each asks again where an outcome is not known. */
import type { Test } from 'tap'
import type { Reply } from '../contract/shop.js'
import { refused } from '../contract/refused.js'

/** How long anybody waits for an answer at the most, on a machine that is busy with other tests: nobody hangs. */
const boundMs = 5_000

export interface Caller {
  /** @returns whether there was an answer; there is none where the outcome is not known */
  ask(): Promise<boolean>
  /** What has to happen before it is asked again. */
  readonly meanwhile?: () => Promise<void>
  /** Holds the shop against what was asked, and books it. */
  done(): Promise<void>
}

interface Answers<T> {
  /** The status of its success. */
  readonly good: number
  /** Statuses that say that it is done already: only for whoever was not answered before. */
  readonly already?: readonly number[]
  /** A refusal that ends with what happens meanwhile. */
  readonly notYet?: number
  readonly meanwhile?: () => Promise<void>
  done(reply: Reply<T>): Promise<void> | void
}

/** A call over HTTP. */
export function calling<T>(t: Test, call: () => Promise<Reply<T>>, { good, already = [], notYet, meanwhile, done }: Answers<T>): Caller {
  let last: Reply<T> | undefined
  let unanswered = false
  return {
    async ask() {
      const from = performance.now()
      const reply = await call()
      const tookMs = performance.now() - from
      if (tookMs > boundMs) t.fail(`an answer took ${tookMs} ms`)
      if (reply.status === good || (unanswered && already.includes(reply.status))) {
        last = reply
        return true
      }
      if (reply.status === 503) refused(t, reply, 'unavailable')
      else if (!unanswered || reply.status !== notYet) throw new Error(`not ${good}: ${reply.status} ${reply.text}`)
      unanswered = true
      return false
    },
    ...(meanwhile && { meanwhile }),
    done: async () => done(last!),
  }
}

/** A turn of a worker; where it failed, the loop has another one. */
export const turning = (turn: (again: boolean) => Promise<unknown>, done: () => Promise<void>, meanwhile?: () => Promise<void>): Caller => {
  let again = false
  return {
    async ask() {
      try {
        await turn(again)
        return true
      } catch {
        again = true
        return false
      }
    },
    ...(meanwhile && { meanwhile }),
    done,
  }
}
