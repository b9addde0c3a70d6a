/**
 * Those who watch a sale, in a process of their own, over bare sockets: they read all that comes, and tell when the last of
 * them has seen a change.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export type CrowdRequest =
  /** Has so many watch a sale; answered when each has its snapshot. */
  | { readonly kind: 'watch'; readonly port: number; readonly saleId: string; readonly watchers: number }
  /** Looks for an item in the events from now on: says so, and is answered when each has seen it. */
  | { readonly kind: 'look'; readonly sku: string }
  | { readonly kind: 'leave' }

export interface CrowdResult {
  /** When the middle and the last of them had what was asked for, in Unix milliseconds. */
  readonly medianMs: number
  readonly lastMs: number
  /** Events that have come so far, all watchers together. */
  readonly events: number
}

/** Connections that are made at once: a server's queue of them is short. */
const wave = 250
const endOfEvent = Buffer.from('\n\n')
/** The mark of an event, in its snapshot as well. */
const beginOfEvent = 'event: stock\n'

const sockets = new Set<Socket>()
/** What all of them wait for, one thing after the other. */
let wanted = { words: '', turn: 0, watchers: 0 }
let seen: number[] = []
let allHave = (): void => undefined
let lost: (error: Error) => void = () => undefined
let events = 0

async function watch(port: number, saleId: string, watchers: number): Promise<void> {
  for (let from = 0; from < watchers; from += wave) {
    await Promise.all(Array.from({ length: Math.min(wave, watchers - from) }, () => begin(port, saleId)))
  }
}

async function begin(port: number, saleId: string): Promise<void> {
  /** The start of an event whose end has not come yet. */
  let rest: Buffer = Buffer.alloc(0)
  let hasSeen = 0
  const socket = connect({ port, host: '127.0.0.1' })
  sockets.add(socket)
  socket.on('error', (error) => lost(error))
  socket.on('close', () => {
    if (sockets.delete(socket)) lost(new Error('a watcher was cut off'))
  })
  socket.on('data', (chunk: Buffer) => {
    const text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const end = text.lastIndexOf(endOfEvent)
    rest = text.subarray(end === -1 ? 0 : end + endOfEvent.length)
    if (end === -1) return
    const whole = text.subarray(0, end)
    for (let at = whole.indexOf(beginOfEvent); at !== -1; at = whole.indexOf(beginOfEvent, at + 1)) events += 1
    if (wanted.turn === hasSeen || !whole.includes(wanted.words)) return
    hasSeen = wanted.turn
    seen.push(performance.timeOrigin + performance.now())
    if (seen.length === wanted.watchers) allHave()
  })
  await once(socket, 'connect')
  socket.write(`GET /v1/sales/${saleId}/events HTTP/1.1\r\nhost: bench\r\n\r\n`)
}

/** Resolves when so many have had an event with these words. */
function everyoneHas(words: string, watchers: number): Promise<void> {
  wanted = { words, watchers, turn: wanted.turn + 1 }
  seen = []
  return new Promise((resolve, reject) => {
    allHave = resolve
    lost = reject
  })
}

async function run(request: CrowdRequest): Promise<CrowdResult> {
  if (request.kind === 'watch') {
    const { port, saleId, watchers } = request
    await Promise.all([everyoneHas(beginOfEvent, watchers), watch(port, saleId, watchers)])
  } else if (request.kind === 'look') {
    const all = everyoneHas(`"sku":"${request.sku}"`, sockets.size)
    process.send?.({ looking: true })
    await all
  } else {
    const leaving = [...sockets]
    sockets.clear()
    for (const socket of leaving) socket.destroy()
  }
  const sorted = seen.toSorted((a, b) => a - b)
  return { medianMs: sorted[sorted.length >> 1] ?? 0, lastMs: sorted.at(-1) ?? 0, events }
}

process.on('disconnect', () => process.exit())
process.on('message', (request: CrowdRequest) => {
  run(request).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: String(error) }),
  )
})
