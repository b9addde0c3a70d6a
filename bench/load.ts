/**
 * The load, in a process of its own: a number of customers over as many connections, each sending its next request once the
 * last one is answered. What a customer does is a walk of one or more steps. Every request is answered and counted before a round ends.
 */
import autocannon, { type Request } from 'autocannon'
import { build as buildHistogram } from 'hdr-histogram-js'

export interface Step {
  readonly method: 'GET' | 'POST'
  /** `{id}` stands for what the step before has kept. */
  readonly path: string
  readonly body?: string
  /** The status that every answer should have. */
  readonly expected: number
  /** The member of the answer, a text, that the next step needs. */
  readonly keep?: string
}

export interface LoadRequest {
  readonly address: string
  readonly steps: readonly Step[]
  /** How often the steps are gone through, all customers together; a multiple of the connections where there are several steps. */
  readonly walks: number
  readonly connections: number
}

export interface LoadResult {
  /** Walks whose last step was answered as expected. */
  readonly answers: number
  /** Other answers by status, and requests without one: cut connections and timeouts. */
  readonly errors: Readonly<Record<string, number>>
  /** From the first request to the last answer. */
  readonly seconds: number
  /** Of a single request. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU of this process in the meantime. */
  readonly cpuSeconds: number
}

/** The longest latency that is told from longer ones, in µs: autocannon gives a request up by then. */
const longestUs = 10_000_000

interface Tally {
  answers: number
  readonly errors: Record<string, number>
}

function count(tally: Tally, what: string): void {
  tally.errors[what] = (tally.errors[what] ?? 0) + 1
}

function run({ address, steps, walks, connections }: LoadRequest): Promise<LoadResult> {
  const latencies = buildHistogram({ lowestDiscernibleValue: 1, highestTrackableValue: longestUs, numberOfSignificantValueDigits: 3 })
  const tally: Tally = { answers: 0, errors: {} }
  const [only] = steps
  const isOneStep = steps.length === 1 && only !== undefined
  const cpu = process.cpuUsage()
  const started = performance.now()
  let ended = started
  return new Promise((resolve, reject) => {
    const instance = autocannon({
      url: address,
      requests: isOneStep ? [plain(only)] : walkOf(steps, tally),
      amount: walks * steps.length,
      // How often it looks whether it is done, in ms.
      sampleInt: 100,
      connections,
    }, (error: unknown) => {
      if (error) {
        reject(error)
        return
      }
      const { user, system } = process.cpuUsage(cpu)
      resolve({
        ...tally,
        seconds: (ended - started) / 1_000,
        p50Ms: latencies.getValueAtPercentile(50) / 1_000,
        p99Ms: latencies.getValueAtPercentile(99) / 1_000,
        cpuSeconds: (user + system) / 1_000_000,
      })
    })
    instance.on('response', (_client, status, _bytes, durationMs) => {
      ended = performance.now()
      // Where an answer is not read for what it keeps, this is all that is looked at: it costs the least.
      if (isOneStep) {
        if (status === only.expected) tally.answers += 1
        else count(tally, String(status))
      }
      // autocannon's own histogram keeps whole milliseconds.
      latencies.recordValue(Math.min(longestUs, Math.max(1, Math.round(durationMs * 1_000))))
    })
    instance.on('reqError', () => count(tally, 'no answer'))
  })
}

function plain({ method, path, body }: Step): Request {
  return body === undefined ? { method, path } : { method, path, body, headers: { 'content-type': 'application/json' } }
}

/** Steps that follow from each other; the context is a customer's own, and new at the start of each walk. */
function walkOf(steps: readonly Step[], tally: Tally): Request[] {
  return steps.map((step, i) => {
    const request = plain(step)
    const kept = step.keep === undefined ? null : new RegExp(`"${step.keep}":"([^"]+)"`)
    return {
      ...request,
      ...(i === 0 ? {} : { setupRequest: (its: Request, context: object) => ({ ...its, path: step.path.replace('{id}', 'id' in context ? String(context.id) : 'none') }) }),
      onResponse(status, body, context) {
        if (status !== step.expected) count(tally, `${step.method} ${i + 1}: ${status}`)
        else if (i === steps.length - 1) tally.answers += 1
        Object.assign(context, { id: kept?.exec(body)?.[1] })
      },
    }
  })
}

process.on('disconnect', () => process.exit())
process.on('message', (request: LoadRequest) => {
  run(request).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: String(error) }),
  )
})
