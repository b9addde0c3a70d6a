/** An operator's calls. Each is made once: what is read is read again in a moment, and what changes something is repeated by who asked for it. */
import type { Problem } from '../../problems.js'

export type Refused = Pick<Problem, 'status' | 'code' | 'title' | 'detail' | 'errors'>
export type Answer<T> = { readonly value: T } | { readonly refused: Refused }

export interface Call {
  readonly body?: object
  /** What makes a repetition harmless. */
  readonly idempotencyKey?: string
}

export interface Operator {
  ask<T>(method: 'GET' | 'POST' | 'PUT', path: string, call?: Call): Promise<Answer<T>>
}

/** How long an answer is waited for, in ms: longer than the API ever lets a request wait. */
const answerMs = 12_000
const unreachable: Refused = { status: 0, code: 'unreachable', title: 'The API does not answer', detail: 'The API does not answer.' }

/** @param onUnauthorized called whenever the API does not take the token, whatever was asked */
export function createOperator(token: string, onUnauthorized: () => void): Operator {
  return {
    async ask<T>(method: string, path: string, { body, idempotencyKey }: Call = {}) {
      const answer = await fetchOnce<T>(method, path, {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      }, body)
      if ('refused' in answer && answer.refused.status === 401) onUnauthorized()
      return answer
    },
  }
}

async function fetchOnce<T>(method: string, path: string, headers: Record<string, string>, body?: object): Promise<Answer<T>> {
  try {
    const response = await fetch(path, {
      method, headers, cache: 'no-store', referrerPolicy: 'no-referrer', signal: AbortSignal.timeout(answerMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (response.status === 204) return { value: undefined as T }
    const said: unknown = await response.json()
    return response.ok ? { value: said as T } : { refused: said as Refused }
  } catch {
    return { refused: unreachable }
  }
}

/** @returns whether the API takes a token; what it says of an item that cannot be there is the same for every operator */
export async function tryToken(token: string): Promise<'taken' | 'wrong' | Refused> {
  const answer = await createOperator(token, () => {}).ask('GET', '/v1/admin/items/-')
  if ('value' in answer) return 'taken'
  const { status } = answer.refused
  if (status === 401) return 'wrong'
  // Whoever is refused for another reason was let in first; only one who calls too often, or is not answered, was not.
  return status === 0 || status === 429 ? answer.refused : 'taken'
}

/** @returns a refusal in words for an operator, with the fields that were off */
export function inWords({ code, detail, errors = [] }: Refused): string {
  const fields = errors.map(({ path, message }) => `${path || 'the request'} ${message}`)
  return `${[detail.replace(/\.$/, ''), ...fields].join('; ')} (${code}).`
}
