/**
 * Batches: all requests for one script and shard that arrive in one turn of the event loop go to Redis as one call,
 * so that one round trip and one fsync serve them all.
 */
import type { Refusal } from '../problems.js'
import { MadeAlike } from './hold-call.js'

/** Most requests of one call. */
export const batchBound = 256
/** Most requests that wait in one process for one script and shard; beyond it they are shed. */
export const queueBound = 4_096
/** Calls that may be on their way at once. */
const inFlightBound = 2
/** Requests that have to wait for a second call: fewer cost less in one call once the first is back. */
export const secondCallAt = 12
/** Times that a request may be told to come again, some thousand lapsed holds at a time. */
const againBound = 10_000

export const overloaded: Refusal = { refused: 'overloaded', retryAfterSeconds: 1 }

interface Waiting {
  readonly request: string
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
  again: number
}

/** One request's reply, with the epoch of the shard that gave it; null where Redis does not know the sale. */
export type Reply = { readonly words: string; readonly epoch: number } | null | typeof shed
export const shed = Symbol('shed')

export interface Batcher {
  /** @returns the script's reply, or `shed` where too many wait already @throws where the outcome is not known */
  submit(request: string): Promise<Reply>
}

export interface BatcherOptions {
  /** Sends one call. @returns the epoch and one reply a request, or the word NO_SALE */
  readonly send: (requests: readonly string[]) => Promise<unknown>
  /** Is told the size of every call. */
  readonly onBatch: (size: number) => void
  /** Whether requests that are the same and wait together share one answer: for those that change nothing. */
  readonly collapse?: boolean
  /** What to do before requests that were told MORE are sent again. */
  readonly beforeAgain?: () => Promise<unknown>
  /** Called when nothing waits and nothing is on its way: the batcher may be dropped. */
  readonly onIdle: () => void
}

export function createBatcher({ send, onBatch, collapse = false, beforeAgain, onIdle }: BatcherOptions): Batcher {
  let waiting: Waiting[] = []
  /** What the requests that wait will come to, where they are shared. */
  const shared = new Map<string, Promise<Reply>>()
  let inFlight = 0
  let scheduled = false

  function schedule(): void {
    if (scheduled || inFlight >= inFlightBound || waiting.length < (inFlight === 0 ? 1 : secondCallAt)) return
    scheduled = true
    setImmediate(flush)
  }

  function flush(): void {
    scheduled = false
    const batch = waiting.length <= batchBound ? waiting : waiting.slice(0, batchBound)
    waiting = waiting.length <= batchBound ? [] : waiting.slice(batchBound)
    if (batch.length === 0) return
    if (collapse) for (const one of batch) shared.delete(one.request)
    inFlight += 1
    onBatch(batch.length)
    void decide(batch).finally(() => {
      inFlight -= 1
      schedule()
      if (waiting.length === 0 && inFlight === 0) onIdle()
    })
    // A queue longer than one call need not wait for the next turn.
    schedule()
  }

  async function decide(batch: readonly Waiting[]): Promise<void> {
    const again: Waiting[] = []
    try {
      const replies = await send(batch.map((one) => one.request))
      if (replies === 'NO_SALE') {
        for (const one of batch) one.resolve(null)
        return
      }
      if (!Array.isArray(replies) || replies.length !== batch.length + 1) {
        throw new TypeError('a script answered out of its form')
      }
      const epoch = Number(replies[0])
      for (let i = 0; i < batch.length; i += 1) {
        const reply: unknown = replies[i + 1]
        if (reply === 'MORE') again.push(batch[i]!)
        else if (typeof reply === 'string') batch[i]!.resolve({ words: reply, epoch })
        else if (reply instanceof MadeAlike) batch[i]!.resolve(reply)
        else throw new TypeError('a script answered out of its form')
      }
      if (again.length > 0) {
        await beforeAgain?.()
        requeue(again)
      }
    } catch (error) {
      for (const one of batch) one.reject(error)
    }
  }

  /** Those that were told to come again keep their place before all that came later. */
  function requeue(again: readonly Waiting[]): void {
    const patient = again.filter((one) => {
      one.again += 1
      if (one.again > againBound) one.reject(new Error('too many lapsed holds lie before this request'))
      return one.again <= againBound
    })
    waiting = [...patient, ...waiting]
  }

  return {
    submit(request) {
      const same = shared.get(request)
      if (same !== undefined) return same
      if (waiting.length >= queueBound) return Promise.resolve(shed)
      const reply = new Promise<Reply>((resolve, reject) => {
        waiting.push({ request, resolve, reject, again: 0 })
        schedule()
      })
      if (collapse) shared.set(request, reply)
      return reply
    },
  }
}
