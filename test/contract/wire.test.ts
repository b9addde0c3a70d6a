/** What comes over a socket and is no request, or takes its time to become one. */
import { once } from 'node:events'
import { connect } from 'node:net'
import tap, { type Test } from 'tap'
import type { Cart } from '../../src/contract.js'
import { counters } from '../redis.js'
import { invalid, refused } from './refused.js'
import { openShop, type Reply } from './shop.js'

const shop = await openShop(tap)
const url = new URL(await shop.app.listen({ host: '127.0.0.1', port: 0 }))

/** By when a client that never comes to its end has been answered, in ms. */
const endedMs = 10_000
/** By when a client here gives a server up that does neither, in ms. */
const givenUpMs = 12_000
/** How often a slow client sends a little more, in ms. */
const trickleMs = 500

interface Line {
  send(bytes: string | Buffer): void
  /** The last of the answers that have come so far. */
  last(): Reply<unknown>
  /** Resolves with the time that it took, in ms, when the connection has ended. */
  readonly ended: Promise<number>
}

/** Where there was no answer. */
const none: Reply<unknown> = { status: 0, text: '{}', body: undefined, header: () => undefined }

async function dial(t: Test): Promise<Line> {
  const socket = connect(Number(url.port), url.hostname)
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const from = performance.now()
  const giveUp = setTimeout(() => socket.destroy(), givenUpMs)
  let heard = ''
  socket.on('data', (bytes) => (heard += String(bytes)))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  // A server that has answered does not read on; the answer is what counts.
  socket.on('error', () => {})
  return {
    send: (bytes) => void socket.write(bytes),
    last: () => (heard === '' ? none : parse(heard.slice(heard.lastIndexOf('HTTP/1.1 ')))),
    ended: closed.then(() => {
      clearTimeout(giveUp)
      return performance.now() - from
    }),
  }
}

function parse(answer: string): Reply<unknown> {
  const end = answer.indexOf('\r\n\r\n')
  const [first = '', ...fields] = answer.slice(0, end).split('\r\n')
  const headers = new Map(fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]))
  return { status: Number(first.split(' ')[1]), text: answer.slice(end + 4), body: undefined, header: (name) => headers.get(name) }
}

/** @returns the last answer to some bytes, once the connection has ended */
async function tell(t: Test, bytes: string | Buffer): Promise<Reply<unknown>> {
  const line = await dial(t)
  line.send(bytes)
  await line.ended
  return line.last()
}

const host = 'host: shop\r\n'
const json = 'content-type: application/json\r\n'
const get = `GET /healthz HTTP/1.1\r\n${host}\r\n`
const post = (saleId: string, headers: string, body = '') => `POST /v1/sales/${saleId}/carts HTTP/1.1\r\n${host}${json}${headers}\r\n\r\n${body}`

/** The server is as it was. */
async function stillServes(t: Test): Promise<void> {
  t.match(await (await fetch(new URL('/healthz', url))).json(), { status: 'ok' })
}

void tap.test('who sends slowly, or nothing more, is told why and ended within ten seconds; others are served meanwhile', async (t) => {
  const saleId = await shop.publish({ items: { A: 1_000 } })
  const body = JSON.stringify({ items: [{ sku: 'A', quantity: 1 }] })
  const length = `content-length: ${body.length}`
  const slow: [what: string, begins: string, goesOn: string][] = [
    ['nothing at all', '', ''],
    ['a word of its first line', 'GET /heal', ''],
    ['headers without end', get.slice(0, -2), ''],
    ['a header byte by byte', get.slice(0, -2), 'a'],
    ['headers line by line', get.slice(0, -2), 'a: b\r\n'],
    ['a body that never comes', post(saleId, length), ''],
    ['a body that stops', post(saleId, length, body.slice(0, -1)), ''],
    ['a body byte by byte', post(saleId, 'content-length: 1000'), ' '],
    ['a body chunk by chunk', post(saleId, 'transfer-encoding: chunked'), '1\r\n \r\n'],
    ['a request after one that was served', get + get.slice(0, -2), ''],
  ]
  const lines = await Promise.all(slow.map(async ([what, begins, goesOn]) => {
    const line = await dial(t)
    line.send(begins)
    const trickle = setInterval(() => line.send(goesOn), trickleMs)
    return { what, ended: line.ended.finally(() => clearInterval(trickle)), last: line.last }
  }))

  for (let n = 0; n < 50; n += 1) {
    const response = await fetch(new URL(`/v1/sales/${saleId}/carts`, url), { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    t.equal(response.status, 201)
    t.equal(((await response.json()) as Cart).items[0]?.quantity, 1)
  }
  t.ok(lines.every(({ last }) => [none.status, 200].includes(last().status)), 'while these are not ended yet')

  for (const { what, ended, last } of lines) {
    const tookMs = await ended
    t.ok(tookMs < endedMs, `${what}: ended after ${Math.round(tookMs)} ms`)
    refused(t, last(), 'request_timeout')
  }
  t.match(await counters(shop.redis, saleId, 'A'), { inCarts: 50 }, 'what never came whole has taken nothing')
})

void tap.test('headers that are too large are refused as such', async (t) => {
  for (const [what, request] of [
    ['one header', `GET /healthz HTTP/1.1\r\n${host}a: ${'a'.repeat(20_000)}\r\n\r\n`],
    ['one header ten times that large', `GET /healthz HTTP/1.1\r\n${host}a: ${'a'.repeat(200_000)}\r\n\r\n`],
    ['the name of a header', `GET /healthz HTTP/1.1\r\n${host}${'a'.repeat(20_000)}: a\r\n\r\n`],
    ['many headers', `GET /healthz HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(10_000)}\r\n`],
    ['an address', `GET /v1/carts/${'a'.repeat(20_000)} HTTP/1.1\r\n${host}\r\n`],
    ['headers without end', `GET /healthz HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(10_000)}`],
  ] as const) {
    await t.test(what, async (inner) => void refused(inner, await tell(inner, request), 'headers_too_large'))
  }
  t.equal((await tell(t, `GET /healthz HTTP/1.1\r\n${host}connection: close\r\na: ${'a'.repeat(15_000)}\r\n\r\n`)).status, 200, 'large ones are served')
  await stillServes(t)
})

void tap.test('bytes that are not HTTP are refused, and nothing is taken', async (t) => {
  const saleId = await shop.publish()
  const body = JSON.stringify({ items: [{ sku: 'A', quantity: 1 }] })
  const length = `content-length: ${body.length}`
  for (const [what, bytes] of [
    ['another protocol', 'HELO shop\r\n\r\n'],
    ['TLS', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
    ['zeros', Buffer.alloc(100)],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['another version', `GET /healthz HTTP/9.9\r\n${host}\r\n`],
    ['a method that does not exist', `BREW /healthz HTTP/1.1\r\n${host}\r\n`],
    ['an address with a space', `GET /health z HTTP/1.1\r\n${host}\r\n`],
    ['an address that is no ASCII', Buffer.from(`GET /v1/carts/ä HTTP/1.1\r\n${host}\r\n`)],
    ['an address that is none', `GET healthz HTTP/1.1\r\n${host}\r\n`],
    ['lines without CR', 'GET /healthz HTTP/1.1\nhost: shop\n\n'],
    ['a header with a space in its name', `GET /healthz HTTP/1.1\r\n${host}a b: c\r\n\r\n`],
    ['a header over two lines', `GET /healthz HTTP/1.1\r\n${host}a: b\r\n c\r\n\r\n`],
    ['a NUL in a header', `GET /healthz HTTP/1.1\r\n${host}a: b\u0000\r\n\r\n`],
    ['a length in words', post(saleId, 'content-length: many', body)],
    ['a length below none', post(saleId, 'content-length: -1', body)],
    ['two lengths', post(saleId, `${length}\r\ncontent-length: 1`, body)],
    ['a length and chunks', post(saleId, `${length}\r\ntransfer-encoding: chunked`, `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)],
    ['chunks that are none', post(saleId, 'transfer-encoding: chunked', `zz\r\n${body}\r\n0\r\n\r\n`)],
    ['an encoding that nobody knows', post(saleId, 'transfer-encoding: gzip', body)],
    ['no HTTP after a request that was served', `${get}HELO\r\n\r\n`],
  ] as const) {
    await t.test(what, async (inner) => invalid(inner, await tell(inner, bytes), ''))
  }
  t.match(await counters(shop.redis, saleId, 'A'), { inCarts: 0 })
  await stillServes(t)
})

void tap.test('a body that is too large is refused before it has come', async (t) => {
  const saleId = await shop.publish()
  const megabytes = 2 * 1_024 * 1_024
  const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`
  for (const [what, request] of [
    ['announced', post(saleId, `content-length: ${megabytes}`)],
    ['announced, to be asked for', post(saleId, `content-length: ${megabytes}\r\nexpect: 100-continue`)],
    ['in chunks', post(saleId, 'transfer-encoding: chunked', chunk.repeat(8))],
    ['hidden beside its chunks', post(saleId, 'transfer-encoding: chunked', `1;${'a'.repeat(20_000)}\r\n{\r\n`)],
  ] as const) {
    await t.test(what, async (inner) => void refused(inner, await tell(inner, request), 'payload_too_large'))
  }
  await stillServes(t)
})

void tap.test('a request that expects what nobody can promise is served all the same', async (t) => {
  t.equal((await tell(t, `GET /healthz HTTP/1.1\r\n${host}connection: close\r\nexpect: 200-ok\r\n\r\n`)).status, 200)
})
