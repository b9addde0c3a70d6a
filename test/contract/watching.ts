/** Customers who watch a sale over a socket, and the time by which it is read. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { StockEvent } from '../../src/contract.js'
import type { Timers } from '../../src/events.js'

/** Longer than any pace, and shorter than a heartbeat, in ms. */
const pacesUntilMs = 5_000

/** By when a watcher gives up who hears of nothing, in ms. */
const givenUpMs = 20_000

/** A time that stands still, and timers that go off when a test says so. */
export class Clock implements Timers {
  /** In ms. */
  time = 0
  readonly #armed = new Set<{ ms: number; work: () => void }>()
  #changed = () => {}

  now(): number {
    return this.time
  }

  after(ms: number, work: () => void): () => void {
    const timer = { ms, work }
    this.#armed.add(timer)
    this.#changed()
    return () => {
      this.#armed.delete(timer)
      this.#changed()
    }
  }

  /** Lets the next read be due, once the last is done with. @returns how long it would have been put off, in ms */
  async read(): Promise<number> {
    return this.#goOff(({ ms }) => ms < pacesUntilMs)
  }

  async heartbeat(): Promise<number> {
    return this.#goOff(({ ms }) => ms >= pacesUntilMs)
  }

  /** @returns how many timers are going to go off */
  armed(): number {
    return this.#armed.size
  }

  /** Resolves when the last read is done with, and the next one is put off. */
  async settled(): Promise<void> {
    while (![...this.#armed].some(({ ms }) => ms < pacesUntilMs)) await this.#change()
  }

  /** Resolves when nothing is going to happen any more. */
  async quiet(): Promise<void> {
    while (this.#armed.size > 0) await this.#change()
  }

  async #goOff(which: (timer: { ms: number }) => boolean): Promise<number> {
    for (;;) {
      for (const timer of this.#armed) {
        if (!which(timer)) continue
        this.#armed.delete(timer)
        timer.work()
        return timer.ms
      }
      await this.#change()
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => { this.#changed = resolve })
  }
}

export interface Watch {
  readonly socket: Socket
  /** The status and the headers of the answer, and everything after them. */
  head(): string
  body(): string
  /** @returns the next event, once it is there */
  next(): Promise<{ event: string; data: StockEvent }>
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<unknown>
}

export async function portOf(app: FastifyInstance): Promise<number> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as { port: number }).port
}

/** Asks for the events of a sale; answered or not. */
export async function watch(t: Test, app: FastifyInstance, saleId: string, headers: Readonly<Record<string, string>> = {}): Promise<Watch> {
  const socket = connect(await portOf(app), '127.0.0.1')
  t.teardown(() => socket.destroy())
  const ended = once(socket, 'close')
  socket.on('error', () => {})
  let text = ''
  let read = 0
  socket.on('data', (bytes) => (text += String(bytes)))
  await once(socket, 'connect')
  const lines = Object.entries({ host: 'shop', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`GET /v1/sales/${saleId}/events HTTP/1.1\r\n${lines.join('')}\r\n`)
  const bodyAt = () => text.indexOf('\r\n\r\n') + 4
  const body = () => (bodyAt() < 4 ? '' : text.slice(bodyAt()))
  return {
    socket, body, ended,
    head: () => text.slice(0, Math.max(0, bodyAt())),
    async next() {
      const giveUp = setTimeout(() => socket.destroy(), givenUpMs)
      for (;;) {
        const from = body().indexOf('event: ', read)
        const end = from === -1 ? -1 : body().indexOf('\n\n', from)
        if (end !== -1) {
          read = end
          clearTimeout(giveUp)
          const [event = '', data = ''] = body().slice(from, end).split('\n')
          return { event: event.slice('event: '.length), data: JSON.parse(data.slice('data: '.length)) as StockEvent }
        }
        if (socket.closed) throw new Error(`the connection ended before another event: ${text.slice(0, 500)}`)
        await Promise.race([once(socket, 'data'), ended])
      }
    },
  }
}
