/**
 * Load at a pace of its own, in a process of its own: requests are sent at a fixed rate, however long the answers take, as customers
 * come who know nothing of each other. autocannon has `overallRate`, but each of its connections waits for its last answer before it
 * sends again and never makes up for it, so a server that slows down slows its load down and hides what it owes. Here each request
 * has a time at which it should be sent, and its latency counts from then, waiting for a free connection included.
 *
 * Raw sockets, without pipelining: a client that costs little leaves the machine to what is measured.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { build as buildHistogram } from 'hdr-histogram-js'

export interface PaceRequest {
  readonly port: number
  readonly path: string
  /** Sent in turns. */
  readonly bodies: readonly string[]
  readonly connections: number
  readonly seconds: number
  /** Requests a second; null: each connection sends its next request once the last is answered. */
  readonly rate: number | null
}

export interface PaceResult {
  /** Requests that were sent. */
  readonly sent: number
  /** Requests whose time had come, and for which no connection was free until the end. */
  readonly unsent: number
  /** 201. */
  readonly served: number
  /** 503 `overloaded` with Retry-After: nothing was done. */
  readonly refused: number
  /** Whatever else came back by status and code, and `no answer`: what came of it is not known. */
  readonly others: Readonly<Record<string, number>>
  /** From the first request until the last of them should have been sent, or was served where that is later. */
  readonly seconds: number
  readonly servedP50Ms: number
  readonly servedP99Ms: number
  readonly refusedP99Ms: number
  readonly cpuSeconds: number
}

/** How long answers are waited for once all requests are sent, in ms. */
const patienceMs = 10_000
/** The longest latency that is told from longer ones, in µs. */
const longestUs = 60_000_000

interface Line {
  readonly socket: Socket
  /** When the request that it carries should have been sent; null where it is free. */
  dueMs: number | null
  heard: string
}

const histogram = () => buildHistogram({ lowestDiscernibleValue: 1, highestTrackableValue: longestUs, numberOfSignificantValueDigits: 3 })

async function run({ port, path, bodies, connections, seconds, rate }: PaceRequest): Promise<PaceResult> {
  const requests = bodies.map((body) => Buffer.from([
    `POST ${path} HTTP/1.1`, `host: 127.0.0.1:${port}`, 'content-type: application/json', `content-length: ${Buffer.byteLength(body)}`, '', body,
  ].join('\r\n')))
  const served = histogram()
  const refused = histogram()
  const others: Record<string, number> = {}
  const count = (what: string) => { others[what] = (others[what] ?? 0) + 1 }
  let [sent, out, startedMs, lastMs] = [0, 0, 0, 0]
  const awaited = () => out
  const over = () => performance.now() - startedMs >= seconds * 1_000

  const lines = await Promise.all(Array.from({ length: connections }, async (): Promise<Line> => {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    return { socket, dueMs: null, heard: '' }
  }))
  const free = [...lines]

  function send(line: Line, dueMs: number): void {
    line.dueMs = dueMs
    line.socket.write(requests[sent % requests.length]!)
    sent += 1
    out += 1
  }
  /** Sends every request whose time has come, as long as connections are free. */
  function sendDue(pace: number): void {
    const due = Math.min(Math.floor(((performance.now() - startedMs) / 1_000) * pace), Math.round(pace * seconds))
    for (let line: Line | undefined; sent < due && (line = free.pop()) !== undefined;) send(line, startedMs + (sent / pace) * 1_000)
  }
  function answered(line: Line, text: string): void {
    const now = performance.now()
    const us = Math.min(longestUs, Math.max(1, Math.round((now - line.dueMs!) * 1_000)))
    const status = text.slice(9, 12)
    if (status === '201') {
      served.recordValue(us)
      lastMs = now
    } else if (status === '503' && text.includes('"overloaded"') && /\r\nretry-after: [1-9]/i.test(text)) refused.recordValue(us)
    else count([status, /"code":"(\w+)"/.exec(text)?.[1] ?? ''].join(' ').trim())
    line.dueMs = null
    out -= 1
    if (rate !== null) free.push(line)
    else if (!over()) send(line, now)
  }
  for (const line of lines) {
    line.socket.on('data', (bytes) => {
      line.heard += String(bytes)
      if (!isWhole(line.heard)) return
      const text = line.heard
      line.heard = ''
      answered(line, text)
    })
    line.socket.on('error', () => undefined)
    line.socket.on('close', () => {
      if (line.dueMs === null) return
      line.dueMs = null
      out -= 1
      count('no answer')
    })
  }

  const cpu = process.cpuUsage()
  startedMs = performance.now()
  if (rate === null) for (const line of lines) send(line, startedMs)
  while (!over()) {
    if (rate !== null) sendDue(rate)
    await pause()
  }
  const { user, system } = process.cpuUsage(cpu)
  const giveUpMs = performance.now() + patienceMs
  while (awaited() > 0 && performance.now() < giveUpMs) await pause()
  for (const { socket } of lines) socket.destroy()
  if (awaited() > 0) others['no answer'] = (others['no answer'] ?? 0) + awaited()
  return {
    sent,
    unsent: rate === null ? 0 : Math.max(0, Math.round(rate * seconds) - sent),
    served: served.totalCount,
    refused: refused.totalCount,
    others,
    seconds: Math.max(seconds, (lastMs - startedMs) / 1_000),
    servedP50Ms: served.getValueAtPercentile(50) / 1_000,
    servedP99Ms: served.getValueAtPercentile(99) / 1_000,
    refusedP99Ms: refused.totalCount === 0 ? 0 : refused.getValueAtPercentile(99) / 1_000,
    cpuSeconds: (user + system) / 1_000_000,
  }
}

/** Whether an answer has come to its end. */
function isWhole(text: string): boolean {
  const head = text.indexOf('\r\n\r\n')
  if (head === -1) return false
  const length = /\r\ncontent-length: (\d+)/i.exec(text)
  return text.length >= head + 4 + Number(length?.[1] ?? 0)
}

const pause = (): Promise<void> => new Promise((resume) => { setTimeout(resume, 1) })

process.on('disconnect', () => process.exit())
process.on('message', (request: PaceRequest) => {
  run(request).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: String(error) }),
  )
})
