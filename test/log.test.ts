/** What a log may know: enough to find what went wrong, and nothing that anybody could use. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import tap, { type Test } from 'tap'
import { formatId, newLocalId, redactId } from '../src/ids.js'
import { shardKey } from '../src/keys.js'
import { createLogger, describeError } from '../src/log.js'
import { refused } from './contract/refused.js'
import { customer, databaseOn, openApp, openShop } from './contract/shop.js'
import { runOn } from './postgres.js'

const shop = await openShop(tap)
const shard = { saleId: 'friday_1-A', shard: 0 }
const ids = (['c', 'o', 'p'] as const).map((kind) => formatId(kind, shard, 1, newLocalId()))
const personal = [customer.name, customer.email, customer.phone, customer.address.line1, customer.address.city]

interface Entry {
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

/** @returns a log, and what was written to it */
function listen() {
  const lines: string[] = []
  return { lines, entries: () => lines.map((line) => JSON.parse(line) as Entry), log: createLogger('trace', { write: (line) => void lines.push(line) }) }
}

/** Nothing that was logged could be used by its reader. */
function keepsToItself(t: Test, lines: readonly string[], secrets: readonly string[]): void {
  const text = lines.join('')
  t.ok(text.length > 0, 'something is said')
  t.strictSame(secrets.filter((secret) => text.includes(JSON.stringify(secret).slice(1, -1))), [], 'and nothing of these')
}

/** What nobody can guess of an id; the rest of it everybody knows. */
const randomPart = (id: string) => id.slice(-22)

tap.test('an id is cut short wherever an error holds it, and can be found all the same', async (t) => {
  for (const id of ids) {
    const cause = new Error(`no ${id}`, { cause: new TypeError(`nor (${id})\n${id}`, { cause: id }) })
    const error = Object.assign(new RangeError(`"${id}", ${id}/${id}?x=${id}`, { cause }), { id, code: '23505', command: { args: [id] } })
    const short = redactId(id)
    const described = describeError(error)
    keepsToItself(t, [JSON.stringify(described)], [randomPart(id)])
    t.equal(described.message, `"${short}", ${short}/${short}?x=${short}`)
    t.match(described, {
      type: 'RangeError', code: '23505', stack: /log\.test\.ts/,
      cause: { type: 'Error', message: `no ${short}`, cause: { type: 'TypeError', message: `nor (${short})\n${short}`, cause: { type: 'string', message: short } } },
    })
    for (const fault of [id, { toString: () => id }, [id]]) t.strictSame(describeError(fault), { type: typeof fault, message: redactId(id) })
  }
})

tap.test('no line holds an id in full, whatever it is made of', async (t) => {
  const { log, lines, entries } = listen()
  for (const id of ids) {
    log.info(`at /v1/carts/${id}`)
    log.info('%s and %j', id, { id })
    log.info({ url: `/v1/orders/${id}?a=${id}`, id, ids: [id], [id]: { deep: [id] } }, 'fields')
    log.child({ id }).warn('a child')
    log.error(new Error(`twice, as a message of its own:\n${id}`))
    log.error({ err: new Error(id) })
    log.error({ err: new Error('ours', { cause: new Error(id) }) }, `ours, of ${id}`)
    log.error({ error: new Error(id), fault: { message: `line\n${id}\tline` } }, 'under another name')
    log.fatal({ err: id }, `x${id}x`)
  }
  keepsToItself(t, lines, ids.map(randomPart))
  t.equal(entries().length, 9 * ids.length, 'each is a line of JSON still')
  for (const id of ids) t.ok(lines.join('').includes(redactId(id)))
})

tap.test('what a database refused is named, and not the row that it was about', async (t) => {
  const [orderId, paymentId] = [ids[1]!, ids[2]!]
  const cartId = `c${orderId.slice(1)}`
  const row = [orderId, shard.saleId, cartId, 'no such status', 1, 'USD', customer.name, customer.email, customer.phone, JSON.stringify(customer.address), paymentId]
  const insert = `insert into orders (order_id, sale_id, cart_id, status, total_amount, currency, customer_name, customer_email, customer_phone, customer_address, payment_id, outbox_id, created_at, paid_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '1-0', now(), null)`
  const error: unknown = await runOn(shop.databaseUrl, insert, row).then(() => null, (fault: unknown) => fault)
  t.match(error, { detail: new RegExp(customer.email), code: '23514' }, 'Postgres tells all of it')
  const { log, lines, entries } = listen()
  log.error({ err: error }, 'an order cannot be kept')
  log.error({ err: new Error('cannot be written', { cause: error }) }, 'an order cannot be kept')
  keepsToItself(t, lines, [...personal, ...ids.map(randomPart)])
  t.match(entries()[0]?.['err'], { type: 'error', code: '23514', message: /orders_status_check/, detail: undefined, where: undefined })
})

tap.test('what Redis refused is named, and not the command that it was about', async (t) => {
  const error: unknown = await shop.redis.eval('return redis.call("incr", KEYS[1])', 1, 'log-test', JSON.stringify(customer), ids[0]!)
    .then(() => shop.redis.hset('log-test', ids[0]!, JSON.stringify(customer))).then(() => null, (fault: unknown) => fault)
  t.match(error, { command: { args: ['log-test', ids[0], JSON.stringify(customer)] } }, 'its error holds all of it')
  const { log, lines, entries } = listen()
  log.error({ err: error }, 'a cart cannot be kept')
  keepsToItself(t, lines, [...personal, ...ids.map(randomPart)])
  t.match(entries()[0]?.['err'], { type: 'ReplyError', message: /^WRONGTYPE/ })
})

tap.test('a request that fails is logged by its route, without its address, its ids or its customer', async (t) => {
  const { log, lines, entries } = listen()
  const { call } = await openApp(t, { ...shop, logger: log })
  const saleId = await shop.publish({ saleId: `broken-${newLocalId().slice(0, 8)}` })
  const { cartId } = await shop.cart(saleId, { A: 1 })
  const { orderId } = await shop.order(saleId)
  const key = `key-${newLocalId()}`
  for (const name of ['carts', 'orders'] as const) await shop.redis.set(shardKey({ saleId, shard: 0 }, name), customer.email)
  const body = { items: [{ sku: 'A', quantity: 1 }] }
  for (const [method, url, route, options] of [
    ['GET', `/v1/carts/${cartId}?token=${cartId}`, '/v1/carts/:cartId', {}],
    ['PUT', `/v1/carts/${cartId}/items/A`, '/v1/carts/:cartId/items/:sku', { body: { quantity: 2 } }],
    ['POST', `/v1/sales/${saleId}/carts`, '/v1/sales/:saleId/carts', { body, headers: { 'idempotency-key': key } }],
    ['POST', `/v1/carts/${cartId}/checkout`, '/v1/carts/:cartId/checkout', { body: { customer } }],
    ['GET', `/v1/orders/${orderId}`, '/v1/orders/:orderId', {}],
    ['POST', `/v1/orders/${orderId}/payments`, '/v1/orders/:orderId/payments', { body: { paymentToken: 'tok_of_a_card' } }],
    ['DELETE', `/v1/orders/${orderId}`, '/v1/orders/:orderId', {}],
  ] as const) {
    const before = lines.length
    refused(t, await call(method, url, options), 'unavailable')
    t.match(entries().slice(before), [{ level: 50, msg: 'a request failed', method, route, err: { type: 'ReplyError' } }], `${method} ${route}`)
    t.equal(lines.length, before + 1, 'in one line')
    t.notOk(lines.at(-1)?.includes(url))
  }
  keepsToItself(t, lines, [cartId, orderId, randomPart(cartId), randomPart(orderId), key, 'tok_of_a_card', ...personal, '?token'])
})

tap.test('an order that Postgres cannot be asked for is logged without its id', async (t) => {
  const { log, lines, entries } = listen()
  const { call } = await openApp(t, { ...shop, logger: log, database: databaseOn(t, 'postgres://nobody:hunter2@127.0.0.1:1/none') })
  const orderId = formatId('o', { saleId: await shop.publish(), shard: 0 }, 1, newLocalId())
  refused(t, await call('GET', `/v1/orders/${orderId}`), 'unavailable')
  t.match(entries(), [{ msg: 'a request failed', route: '/v1/orders/:orderId' }])
  keepsToItself(t, lines, [randomPart(orderId), 'hunter2'])
})

tap.test('a charge whose outcome is not known is logged by a part of its id', async (t) => {
  const { log, lines, entries } = listen()
  const { call } = await openApp(t, { ...shop, logger: log })
  const { orderId, cartId } = await shop.order(await shop.publish())
  refused(t, await call('POST', `/v1/orders/${orderId}/payments`, { body: { paymentToken: 'tok_unreachable' } }), 'unavailable')
  const { paymentId } = (await shop.read(orderId)).payment!
  t.match(entries(), [{ level: 40, provider: 'sandbox', payment: redactId(paymentId) }])
  keepsToItself(t, lines, [orderId, cartId, paymentId].map(randomPart))
})

tap.test('a request that is refused is not logged at all', async (t) => {
  const { log, lines } = listen()
  const { call } = await openApp(t, { ...shop, logger: log })
  const { cartId } = await shop.cart(await shop.publish())
  refused(t, await call('GET', `/v1/carts/${cartId}x`), 'cart_not_found')
  refused(t, await call('POST', `/v1/carts/${cartId}/checkout`, { body: { customer } }), 'cart_empty')
  refused(t, await call('PUT', `/v1/carts/${cartId}/items/A`, { body: `{"quantity": "${customer.email}` }), 'invalid_request')
  refused(t, await call('GET', `/nowhere/${cartId}`), 'route_not_found')
  t.strictSame(lines, [])
})

tap.test('a process whose reader has died goes on, and ends', async (t) => {
  const log = new URL('../dist/src/log.js', import.meta.url).href
  const script = `
    const { createLogger } = await import('${log}')
    const log = createLogger('info')
    log.info('somebody reads')
    process.send('written')
    process.once('message', () => {
      for (const line of ['one', 'two', 'three']) log.warn(line)
      log.fatal('and the end')
      process.exit(7)
    })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child, 'message')
  // With a line unread, so that the next one is told that the connection was reset.
  child.stdout!.destroy()
  child.send('go on')
  t.strictSame(await once(child, 'exit'), [7, null])
})
