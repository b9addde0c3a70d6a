/**
 * A line to a server that can be cut, held and mended: what stands between a process and its store when the network
 * or the store fails. Its own port stays, whatever becomes of the server behind it.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface Forwarder {
  readonly port: number
  /** Where new connections go from now on. */
  target(port: number): void
  /** Breaks every connection, and every new one. */
  cut(): void
  /** Keeps what clients send, as a network does that has gone silent. */
  hold(): void
  /** Lets through what clients send, and keeps what comes back. */
  mute(): void
  /** Forwards again, what was held as well. */
  mend(): void
}

/** Hands on what the two ends of a connection send each other. */
export type Join = (client: Socket, upstream: Socket) => void

const passAll: Join = (client, upstream) => {
  client.on('data', (bytes) => upstream.write(bytes))
  upstream.on('data', (bytes) => client.write(bytes))
}

export async function forward(t: Test, targetPort: number, join = passAll): Promise<Forwarder> {
  const clients = new Map<Socket, Socket>()
  let port = targetPort
  let isCut = false
  let isHeld = false

  const server = createServer((client) => {
    if (isCut) {
      client.destroy()
      return
    }
    const upstream = connect(port, '127.0.0.1')
    clients.set(client, upstream)
    client.once('close', () => {
      clients.delete(client)
      upstream.destroy()
    })
    upstream.once('close', () => client.destroy())
    // A broken end says so, and closes: the other end goes with it.
    client.on('error', () => {})
    upstream.on('error', () => {})
    for (const socket of [client, upstream]) socket.setNoDelay(true)
    join(client, upstream)
    if (isHeld) client.pause()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const client of clients.keys()) client.destroy()
  })

  return {
    port: (server.address() as AddressInfo).port,
    target(next) {
      port = next
    },
    cut() {
      isCut = true
      for (const client of clients.keys()) client.destroy()
    },
    hold() {
      isHeld = true
      for (const client of clients.keys()) client.pause()
    },
    mute() {
      for (const upstream of clients.values()) upstream.pause()
    },
    mend() {
      isCut = false
      isHeld = false
      for (const socket of [...clients.keys(), ...clients.values()]) socket.resume()
    },
  }
}

/** @returns the URL of the same server and database, reached through a forwarder */
export function through(url: string, { port }: Forwarder): string {
  const forwarded = new URL(url)
  forwarded.hostname = '127.0.0.1'
  forwarded.port = String(port)
  return forwarded.href
}

export const portOf = (url: string, standard: number): number => Number(new URL(url).port || standard)
