/**
 * The load, in a process of its own: a number of POSTs over a number of connections, each connection sending its next
 * request once the last one is answered. Every request is answered and counted before a round ends.
 */
import autocannon from 'autocannon'
import { build as buildHistogram } from 'hdr-histogram-js'

export interface LoadRequest {
  readonly url: string
  readonly body: string
  readonly amount: number
  readonly connections: number
  /** The status that every answer should have. */
  readonly expected: number
}

export interface LoadResult {
  /** Answers with the status that was expected. */
  readonly answers: number
  /** Other answers by status, and requests without one: cut connections and timeouts. */
  readonly errors: Readonly<Record<string, number>>
  /** From the first request to the last answer. */
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU of this process in the meantime. */
  readonly cpuSeconds: number
}

/** The longest latency that is told from longer ones, in µs: autocannon gives a request up by then. */
const longestUs = 10_000_000

function run({ url, body, amount, connections, expected }: LoadRequest): Promise<LoadResult> {
  const latencies = buildHistogram({ lowestDiscernibleValue: 1, highestTrackableValue: longestUs, numberOfSignificantValueDigits: 3 })
  const errors: Record<string, number> = {}
  const count = (what: string) => { errors[what] = (errors[what] ?? 0) + 1 }
  let answers = 0
  const cpu = process.cpuUsage()
  const started = performance.now()
  let ended = started
  return new Promise((resolve, reject) => {
    const instance = autocannon({
      url,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      amount,
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
        answers,
        errors,
        seconds: (ended - started) / 1_000,
        p50Ms: latencies.getValueAtPercentile(50) / 1_000,
        p99Ms: latencies.getValueAtPercentile(99) / 1_000,
        cpuSeconds: (user + system) / 1_000_000,
      })
    })
    instance.on('response', (_client, status, _bytes, durationMs) => {
      ended = performance.now()
      if (status === expected) answers += 1
      else count(String(status))
      // autocannon's own histogram keeps whole milliseconds.
      latencies.recordValue(Math.min(longestUs, Math.max(1, Math.round(durationMs * 1_000))))
    })
    instance.on('reqError', () => count('no answer'))
  })
}

process.on('disconnect', () => process.exit())
process.on('message', (request: LoadRequest) => {
  run(request).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: String(error) }),
  )
})
