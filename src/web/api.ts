/**
 * Calls of the API. What is safe to repeat is repeated until it is answered, with pauses that grow, are never the same for two
 * customers, and are no shorter than the shop asks for.
 */
import type { Problem, ProblemCode } from '../problems.js'
import { deviceNow, hearDate } from './clock.js'

export type Refused = Omit<Problem, 'code'> & { readonly code: ProblemCode }
export type Answer<T> = { readonly value: T } | { readonly refused: Refused }

/** Why something has to wait: this device is offline, the shop does not answer, or it has too much to do. */
export type Trouble = 'offline' | 'unreachable' | 'busy'

export interface Call {
  readonly body?: object
  /** For a POST that must not happen twice. */
  readonly key?: string
  /** Ask once: what is not answered counts as `unavailable`. Otherwise it is asked until it is answered. */
  readonly once?: boolean
}

/** How long an answer may take, in ms: longer than the shop ever lets a request wait. */
const answerMs = 12_000
const firstPauseMs = 400
const longestPauseMs = 8_000

const waiting = new Map<symbol, Trouble>()
let tell: (trouble: Trouble | null) => void = () => {}

/** Is told why calls wait, and null once none does. */
export function watchTrouble(listener: (trouble: Trouble | null) => void): void {
  tell = listener
}

/** @returns an answer always, however long it takes; with `once`, what is known after one attempt */
export async function ask<T>(method: string, path: string, call: Call = {}): Promise<Answer<T>> {
  const self = Symbol(path)
  try {
    for (let attempt = 0; ; attempt += 1) {
      const { answer, trouble, retryAfterMs } = await askOnce<T>(method, path, call)
      if (trouble === null || call.once) return answer
      waiting.set(self, trouble)
      tell(trouble)
      await pause(Math.max(pauseMs(attempt), retryAfterMs))
    }
  } finally {
    if (waiting.delete(self)) tell([...waiting.values()].at(-1) ?? null)
  }
}

interface Outcome<T> {
  readonly answer: Answer<T>
  /** Null where the answer is the last word. */
  readonly trouble: Trouble | null
  readonly retryAfterMs: number
}

async function askOnce<T>(method: string, path: string, { body, key }: Call): Promise<Outcome<T>> {
  const sentMs = deviceNow()
  try {
    const response = await fetch(path, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...(key !== undefined && { 'idempotency-key': key }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerMs),
      cache: 'no-store',
    })
    const text = await response.text()
    hearDate(response.headers.get('date'), sentMs)
    // The contract's word for it: the routes' own schemas have written it.
    const parsed = text === '' ? null : (JSON.parse(text) as unknown)
    if (response.ok) return { answer: { value: parsed as T }, trouble: null, retryAfterMs: 0 }
    const refused = parsed as Refused
    if (!refused.type.startsWith(ourProblems)) throw new Error(`a ${response.status} that is not the shop's`)
    const busy = response.status >= 500 || response.status === 429
    // A date, which a proxy may give instead of seconds, counts as none.
    return { answer: { refused }, trouble: busy ? 'busy' : null, retryAfterMs: 1_000 * (Number(response.headers.get('retry-after')) || 0) }
  } catch {
    // Cut, or answered by something that is not the shop.
    return { answer: { refused: unanswered }, trouble: navigator.onLine ? 'unreachable' : 'offline', retryAfterMs: 0 }
  }
}

/** How the type of each of the shop's own problems begins. */
const ourProblems = 'urn:flash-sale:problem:'
const unanswered: Refused = { type: 'about:blank', title: 'No answer', status: 0, detail: 'No answer came.', code: 'unavailable' }

/** @returns how long to wait after so many attempts: twice as long each time, in ms */
export function pauseMs(attempt: number, first = firstPauseMs, longest = longestPauseMs): number {
  return spread(Math.min(longest, first * 2 ** attempt))
}

/** @returns anything from half of a time to all of it: customers who wait for the same thing do not all ask at once */
export const spread = (ms: number): number => ms * (0.5 + Math.random() / 2)

/** Waits; or until this device is online again. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      removeEventListener('online', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    addEventListener('online', end)
  })
}
