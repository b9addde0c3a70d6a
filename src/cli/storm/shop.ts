/** The shop as a storm's buyers see it: its public calls over HTTP, each answer counted with how long it took. */
import { Agent, request as plain } from 'node:http'
import { Agent as SecureAgent, request as secure } from 'node:https'
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'

/** How long an answer is waited for, in ms. */
const answerMs = 10_000
/** How often a call comes again while its outcome is not known, and the longest pause in between, in ms. */
const attemptsBound = 20
const pauseBoundMs = 2_000

export interface Answer {
  /** 0 where there was none. */
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly retryAfterSeconds: number
}

/** What became of one kind of call. */
export interface Step {
  /** In microseconds, each attempt by itself. */
  readonly latency: RecordableHistogram
  /** Answers by what they say: a status, or the code of a problem. */
  readonly answers: Map<string, number>
  /** Attempts after the first. */
  again: number
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

export interface Shop {
  readonly address: string
  readonly steps: ReadonlyMap<string, Step>
  /** Asks once, and counts nothing. */
  once(call: Call): Promise<Answer>
  /** Asks until there is an answer that says what became of it: the same key, or the same PUT, each time. */
  ask(step: string, call: Call): Promise<Answer>
  close(): void
}

/**
 * @param url the engine's address
 * @param connections open at the same time, at the most
 */
export function openShop(url: URL, connections: number): Shop {
  const isSecure = url.protocol === 'https:'
  const options = { keepAlive: true, maxSockets: connections }
  const agent = isSecure ? new SecureAgent(options) : new Agent(options)
  const request = isSecure ? secure : plain
  const steps = new Map<string, Step>()

  function stepOf(name: string): Step {
    let step = steps.get(name)
    if (step === undefined) steps.set(name, (step = { latency: createHistogram(), answers: new Map(), again: 0 }))
    return step
  }

  function once({ method, path, body, headers }: Call): Promise<Answer> {
    const text = body === undefined ? null : JSON.stringify(body)
    return new Promise((resolve) => {
      const none = () => resolve({ status: 0, body: {}, retryAfterSeconds: 0 })
      const sent = request(new URL(path, url), {
        method,
        agent,
        timeout: answerMs,
        headers: { ...headers, ...(text === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }) },
      }, (response) => {
        let received = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (received += chunk))
        response.on('error', none)
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: parsed(received), retryAfterSeconds: Number(response.headers['retry-after'] ?? 0) })
        })
      })
      sent.on('timeout', () => sent.destroy())
      sent.on('error', none)
      sent.end(text ?? undefined)
    })
  }

  return {
    address: url.origin,
    steps,
    once,
    async ask(name, call) {
      const step = stepOf(name)
      for (let attempt = 1; ; attempt += 1) {
        const from = performance.now()
        const answer = await once(call)
        step.latency.record(Math.max(1, Math.round((performance.now() - from) * 1_000)))
        const said = wordOf(answer)
        step.answers.set(said, (step.answers.get(said) ?? 0) + 1)
        const unknown = answer.status === 0 || answer.status === 408 || answer.status === 429 || answer.status === 503
        if (!unknown || attempt === attemptsBound) return answer
        step.again += 1
        await pause(Math.min(pauseBoundMs, Math.max(answer.retryAfterSeconds * 1_000, 50 * attempt)))
      }
    },
    close: () => agent.destroy(),
  }
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function wordOf({ status, body }: Answer): string {
  if (status === 0) return 'no answer'
  return typeof body['code'] === 'string' ? body['code'] : String(status)
}
