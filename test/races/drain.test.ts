/** SIGTERM: what is in flight is answered, and the process ends with 0. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import tap, { type Test } from 'tap'
import { assertAccounts, persisted, told } from './accounts.js'
import { atWork, startWorker, until } from './processes.js'
import { buy, openShop, publish, readiness, ware } from './shop.js'

interface Line {
  readonly socket: Socket
  /** Everything that has come back. */
  heard(): string
  /** Resolves when the server has ended the connection. */
  readonly closed: Promise<unknown>
}

async function dial(t: Test, url: string): Promise<Line> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  let text = ''
  socket.on('data', (bytes) => (text += String(bytes)))
  socket.on('error', () => {})
  return { socket, heard: () => text, closed: once(socket, 'close') }
}

const answers = (line: Line): number => line.heard().split('HTTP/1.1 ').length - 1

tap.test('a drained API process answers the requests that have begun to arrive, and ends with 0', async (t) => {
  const { apis: [api], processes: [process], redis } = await openShop(t)
  const { saleId } = await publish(api, [ware('mug', 50)])
  const lines = await Promise.all(Array.from({ length: 30 }, () => dial(t, api)))
  const body = JSON.stringify({ items: [{ sku: 'mug', quantity: 1 }] })
  const head = `POST /v1/sales/${saleId}/carts HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
  // A whole request first: then this connection is the process', and nobody else's.
  for (const { socket } of lines) socket.write('GET /healthz HTTP/1.1\r\nhost: shop\r\n\r\n')
  await until('every connection is served', async () => lines.every((line) => answers(line) === 1))
  for (const { socket } of lines) socket.write(head + body.slice(0, 10))
  await readiness(api)

  process!.kill('SIGTERM')
  await process!.said(/draining/)
  const from = performance.now()
  for (const { socket } of lines) socket.write(body.slice(10))
  t.strictSame(await process!.ended, { code: 0, signal: null })
  t.ok(performance.now() - from < 5_000, 'soon after the last answer')
  await Promise.all(lines.map((line) => line.closed))
  t.ok(lines.every((line) => /HTTP\/1\.1 201 /.test(line.heard())), 'each was answered')
  t.equal(await redis.hlen(`fs:{${saleId}.0}:carts`), 30, 'and what it was told is so')
})

tap.test('a connection over which nothing was ever asked does not keep a drain from its end', async (t) => {
  const { apis: [api], processes: [process] } = await openShop(t)
  // Browsers open such connections beforehand.
  await dial(t, api)
  await readiness(api)
  const from = performance.now()
  t.strictSame(await process!.stop(), { code: 0, signal: null })
  t.ok(performance.now() - from < 5_000, 'it ends at once')
})

tap.test('a request that never comes to its end does not keep a drain from its end', async (t) => {
  const { apis: [api], processes: [process] } = await openShop(t)
  const { socket } = await dial(t, api)
  socket.write('POST /v1/sales/friday/carts HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{')
  await readiness(api)
  t.strictSame(await process!.stop(), { code: 0, signal: null })
})

tap.test('those who watch a sale do not keep a drain from its end', async (t) => {
  const { apis: [api], processes: [process] } = await openShop(t)
  const { saleId } = await publish(api, [ware('mug', 50)])
  const lines = await Promise.all(Array.from({ length: 30 }, () => dial(t, api)))
  for (const { socket } of lines) socket.write(`GET /v1/sales/${saleId}/events HTTP/1.1\r\nhost: shop\r\n\r\n`)
  await until('every one has its snapshot', async () => lines.every((line) => line.heard().includes('event: stock\n')))
  const from = performance.now()
  t.strictSame(await process!.stop(), { code: 0, signal: null })
  t.ok(performance.now() - from < 5_000, 'it ends at once')
  await Promise.all(lines.map((line) => line.closed))
  t.ok(lines.every((line) => line.heard().endsWith('\n\n')), 'and cuts no event short')
})

tap.test('a worker that is drained while hundreds of orders wait ends with 0, and the next one brings the rest', async (t) => {
  const { apis: [api], redis, stores } = await openShop(t)
  const wares = [ware('mug', 300)]
  const { saleId } = await publish(api, wares)
  const paid = await buy([api], saleId, 'mug', 300)
  const first = startWorker(t, stores)
  await atWork(first)
  t.strictSame(await first.stop(), { code: 0, signal: null })
  await atWork(startWorker(t, stores))
  await persisted(redis, saleId)
  await assertAccounts(t, { redis, stores }, { saleId, wares, ...told(paid) })
})
