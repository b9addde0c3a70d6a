/** What a customer sees who watches a sale, and what it costs. */
import { PassThrough } from 'node:stream'
import tap, { type Test } from 'tap'
import type { AppDeps } from '../../src/app.js'
import { createMetrics } from '../../src/metrics.js'
import { createFeeds, unsentBound } from '../../src/events.js'
import { shardKey } from '../../src/keys.js'
import { publishSale } from '../redis.js'
import { refused } from './refused.js'
import { databaseOn, engineOn, openApp, openShop, time } from './shop.js'
import { Clock, watch } from './watching.js'

const shop = await openShop(tap)
/** Where nobody listens. */
const nobody = '127.0.0.1:1'
/** A watcher who never hears what it waits for fails its test by then, in ms. */
const timeout = 60_000

/** @returns an app around the shop's stores whose time a test sets, with metrics of its own */
async function openWatched(t: Test, more: Partial<AppDeps['settings']> = {}, bound?: number) {
  const clock = new Clock()
  const metrics = createMetrics()
  const { app, call } = await openApp(t, { ...shop, watching: { timers: clock, ...(bound === undefined ? {} : { bound }) } }, more, metrics)
  const figure = async (name: string) => {
    const line = (await metrics.scrape()).split('\n').find((one) => one.startsWith(`${name} `))
    return Number(line?.slice(name.length + 1))
  }
  /** Who comes while others watch waits for the next read: it must have come before that one begins. */
  const watching = (count: number) => until(async () => (await figure('flash_sale_watchers')) === count)
  return { app, call, clock, figure, watching }
}

/** @returns how often Redis has been asked to read, by the engine that all here share */
async function reads(): Promise<number> {
  const text = await shop.metrics.scrape()
  return Number(/flash_sale_batch_size_count\{script="read"\} (\d+)/.exec(text)?.[1] ?? 0)
}

void tap.test('a sale’s events are a whole snapshot, then only what changes', { timeout }, async (t) => {
  const saleId = await shop.publish({ items: { A: 10, B: 10 }, lowStockAt: 7 })
  const { app, clock } = await openWatched(t)
  const watcher = await watch(t, app, saleId)
  const sale = await shop.sale(saleId)
  const whole = (quantity: number, available: number, inCarts: number) => ({ stock: { quantity, available, inCarts }, lowStock: available <= 7, mayReturnAt: null })
  const { status, startsAt, endsAt } = sale
  t.strictSame(await watcher.next(), {
    event: 'stock',
    data: { saleId, status, startsAt, endsAt, items: [{ sku: 'A', ...whole(10, 10, 0) }, { sku: 'B', ...whole(10, 10, 0) }] },
  })
  t.match(watcher.head(), /^HTTP\/1\.1 200 OK\r\n/)
  for (const header of [/content-type: text\/event-stream\r\n/i, /cache-control: no-cache\r\n/i, /x-accel-buffering: no\r\n/i]) t.match(watcher.head(), header)
  t.match(watcher.body(), /^retry: \d+\n/, 'and when to come again')

  const cart = await shop.cart(saleId, { A: 3 })
  await clock.read()
  t.strictSame((await watcher.next()).data, { saleId, status, startsAt, endsAt, items: [{ sku: 'A', ...whole(10, 7, 3) }] })

  t.equal((await shop.set(cart.cartId, 'A', 10)).status, 200)
  await clock.read()
  const { data: { items: [gone] } } = await watcher.next()
  t.match(gone, { sku: 'A', stock: { quantity: 10, available: 0, inCarts: 10 }, lowStock: true, mayReturnAt: time }, 'and when some may return')
})

void tap.test('nothing is sent while nothing changes', { timeout }, async (t) => {
  const saleId = await shop.publish({ items: { A: 10, B: 10 } })
  const { app, clock } = await openWatched(t)
  const watcher = await watch(t, app, saleId)
  await watcher.next()
  const heard = watcher.body()
  for (let n = 0; n < 5; n += 1) await clock.read()
  await shop.cart(saleId, { B: 1 })
  await clock.read()
  t.match((await watcher.next()).data.items.map(({ sku }) => sku), ['B'])
  t.match(watcher.body().slice(heard.length), /^event: stock\n[^\n]+\n\n$/, 'the next that is sent is the change')

  t.equal(await clock.heartbeat(), 15_000)
  await shop.cart(saleId, { A: 1 })
  await clock.read()
  await watcher.next()
  t.match(watcher.body().slice(heard.length), /\n\n:\n\nevent: stock\n/, 'but a sign of life is')
})

void tap.test('a sale that is paused, resumed or ended says so', { timeout }, async (t) => {
  const saleId = await shop.publish()
  const { app, clock } = await openWatched(t)
  const watcher = await watch(t, app, saleId)
  t.equal((await watcher.next()).data.status, 'open')
  for (const [action, status] of [['pause', 'paused'], ['resume', 'open'], ['end', 'ended']] as const) {
    const { endsAt } = await shop.control(saleId, action)
    await clock.read()
    t.match((await watcher.next()).data, { saleId, status, endsAt, items: [] })
  }
})

void tap.test('a sale opens before the eyes of those who wait for it', { timeout }, async (t) => {
  const saleId = await shop.publish({ startsAt: '2100-01-01T12:00:10.000Z' })
  await shop.at(saleId, 0)
  const { app, clock } = await openWatched(t)
  const watcher = await watch(t, app, saleId)
  t.match((await watcher.next()).data, { status: 'scheduled', startsAt: '2100-01-01T12:00:10.000Z' })
  await shop.at(saleId, 10)
  await clock.read()
  t.match((await watcher.next()).data, { status: 'open' })
})

void tap.test('however many watch, Redis is read once, and all get the same bytes', { timeout }, async (t) => {
  const saleId = await shop.publish()
  const { app, clock, watching } = await openWatched(t)
  const watchers = [await watch(t, app, saleId)]
  await watchers[0]!.next()
  // More than are written to in one turn.
  for (let n = 0; n < 300; n += 1) watchers.push(await watch(t, app, saleId))
  await watching(301)
  const before = await reads()
  await clock.read()
  await Promise.all(watchers.slice(1).map((one) => one.next()))
  t.equal((await reads()) - before, 1, 'for 300 snapshots')
  await shop.cart(saleId, { A: 1 })
  await clock.read()
  await Promise.all(watchers.map((one) => one.next()))
  t.equal((await reads()) - before, 2, 'and for 301 changes')
  t.equal(new Set(watchers.slice(1).map((one) => one.body())).size, 1)
})

void tap.test('a stream is counted among the answers once it ends, whoever ends it', { timeout }, async (t) => {
  const saleId = await shop.publish()
  const { app, call, figure, watching } = await openWatched(t)
  const answers = (status: number) => figure(`flash_sale_http_requests_total{method="GET",route="/v1/sales/:saleId/events",status="${status}"}`)
  const watcher = await watch(t, app, saleId)
  await watching(1)
  t.notOk(await answers(200), 'not yet')
  watcher.socket.destroy()
  await until(async () => (await answers(200)) === 1)
  t.equal(await figure('flash_sale_http_request_duration_seconds_count{method="GET",route="/v1/sales/:saleId/events"}'), 1)
  refused(t, await call('GET', '/v1/sales/nowhere/events'), 'sale_not_found')
  await until(async () => (await answers(404)) === 1)
})

void tap.test('nothing is read while nobody watches', { timeout }, async (t) => {
  const saleId = await shop.publish()
  const { app, clock, watching } = await openWatched(t)
  const [one, other] = [await watch(t, app, saleId), await watch(t, app, saleId)]
  await watching(2)
  await Promise.all([one.next(), other.next(), clock.read()])
  one.socket.destroy()
  await watching(1)
  await clock.settled()
  const before = await reads()
  await clock.read()
  await clock.settled()
  t.equal(await reads(), before + 1, 'for the one who is left')
  other.socket.destroy()
  await watching(0)
  t.equal(clock.armed(), 0, 'then nothing is going to happen any more')
  t.equal(await reads(), before + 1)
})

void tap.test('a connection that was lost begins anew with a snapshot of now', { timeout }, async (t) => {
  const saleId = await shop.publish({ items: { A: 10, B: 10 } })
  const { app, clock, watching } = await openWatched(t)
  const stays = await watch(t, app, saleId)
  await stays.next()
  const lost = await watch(t, app, saleId)
  await watching(2)
  await clock.read()
  await lost.next()
  lost.socket.destroy()
  await watching(1)
  await shop.cart(saleId, { A: 4 })
  const back = await watch(t, app, saleId, { 'last-event-id': '1' })
  await watching(2)
  const [, { data }] = await Promise.all([clock.read(), back.next()])
  t.match(data.items, [{ sku: 'A', stock: { available: 6 } }, { sku: 'B', stock: { available: 10 } }])
  t.match((await stays.next()).data.items, [{ sku: 'A', stock: { available: 6 } }], 'who stayed hears of the change alone')
})

void tap.test('the pace is a quarter of a second, and stretches to a second while there is much to do', { timeout }, async (t) => {
  const saleId = await shop.publish()
  const { app, clock } = await openWatched(t)
  await (await watch(t, app, saleId)).next()
  t.equal(await clock.read(), 250)
  for (const [busyMs, pace] of [[10, 250], [50, 500], [5_000, 1_000], [0, 250]] as const) {
    // The read that went off just now has not been answered yet.
    clock.time += busyMs
    t.equal(await clock.read(), pace, `after a read of ${busyMs} ms`)
  }
})

void tap.test('who reads too slowly is dropped, and nobody else', { timeout }, async (t) => {
  // So that an event with all of them is larger than a socket's buffers would hide for long.
  const skus = Array.from({ length: 10_000 }, (_, n) => `sku-${n}`)
  const { saleId } = await publishSale(shop.engine, { items: Object.fromEntries(skus.map((sku) => [sku, 1_000_000])) })
  const { app, clock, figure, watching } = await openWatched(t)
  const [slow, fast] = [await watch(t, app, saleId), await watch(t, app, saleId)]
  slow.socket.pause()
  await watching(2)
  await Promise.all([fast.next(), clock.read()])
  let sent = 0
  for (let turn = 1; (await figure('flash_sale_watchers_dropped_total')) === 0; turn += 1) {
    await shop.redis.hset(shardKey({ saleId, shard: 0 }, 'stock'), Object.fromEntries(skus.map((sku) => [sku, `1000000 ${1_000_000 - turn} ${turn} 0 0 2500 0`])))
    await clock.read()
    sent += JSON.stringify((await fast.next()).data).length
    if (sent > 12 * unsentBound) throw new Error(`${sent} bytes wait for somebody who does not read`)
  }
  t.ok(sent > unsentBound, `after ${sent} bytes`)
  slow.socket.resume()
  await slow.ended
  t.equal(await figure('flash_sale_watchers'), 1, 'the other goes on')
})

void tap.test('a process has so many watchers, and refuses more at once', { timeout }, async (t) => {
  const [saleId, other] = [await shop.publish(), await shop.publish()]
  const { app, call, clock, watching } = await openWatched(t, {}, 2)
  const watchers = [await watch(t, app, saleId), await watch(t, app, other)]
  await Promise.all(watchers.map((one) => one.next()))
  refused(t, await call('GET', `/v1/sales/${saleId}/events`), 'overloaded')
  watchers[1]!.socket.destroy()
  await watching(1)
  const third = await watch(t, app, saleId)
  await watching(2)
  await Promise.all([third.next(), clock.read()])
  t.match(third.head(), /^HTTP\/1\.1 200/, 'until somebody leaves')
})

void tap.test('nobody of a crowd that comes at once is counted for two', { timeout }, async (t) => {
  const saleId = await shop.publish({ items: { A: 10 } })
  const feeds = createFeeds({ read: shop.engine.sale, onDropped: () => {} })
  const outlets = Array.from({ length: 1_000 }, () => new PassThrough().resume())
  const counts: number[] = []
  const begin = () => void counts.push(feeds.watchers())
  await Promise.all(outlets.map((outlet) => feeds.watch(saleId, { outlet, begin, serialize: (event) => JSON.stringify(event) })))
  t.strictSame([Math.min(...counts), Math.max(...counts)], [1_000, 1_000], 'while they are told, and after')
  for (const outlet of outlets) outlet.destroy()
  await until(async () => feeds.watchers() === 0)
})

void tap.test('a sale that is not there has no events, and nobody goes on asking for it', { timeout }, async (t) => {
  const { call, clock, figure } = await openWatched(t)
  refused(t, await call('GET', '/v1/sales/nobody/events'), 'sale_not_found')
  refused(t, await call('GET', '/v1/sales/no.body/events'), 'invalid_request')
  await clock.quiet()
  t.equal(await figure('flash_sale_watchers'), 0)
})

void tap.test('while Redis is away nobody can begin to watch', { timeout }, async (t) => {
  const clock = new Clock()
  const { engine, provider } = engineOn(t, `redis://${nobody}`, databaseOn(t, shop.databaseUrl))
  const { call } = await openApp(t, { engine, provider, database: shop.database, watching: { timers: clock } })
  refused(t, await call('GET', '/v1/sales/any/events'), 'unavailable')
  await clock.quiet()
})

void tap.test('watching counts against a client’s limit, and pages of the origins named may watch', { timeout }, async (t) => {
  const saleId = await shop.publish()
  const origin = 'https://shop.example'
  const { app } = await openWatched(t, { corsOrigins: [origin], rateLimitMax: 1_000 })
  const watcher = await watch(t, app, saleId, { origin })
  await watcher.next()
  t.match(watcher.head(), /access-control-allow-origin: https:\/\/shop\.example\r\n/i)
  t.match(watcher.head(), /x-ratelimit-remaining: 999\r\n/i)
})

void tap.test('a drain ends every stream at once, and who comes during it gets a snapshot and is sent on', { timeout }, async (t) => {
  const saleId = await shop.publish()
  const { app } = await openWatched(t)
  const watchers = [await watch(t, app, saleId), await watch(t, app, await shop.publish())]
  await Promise.all(watchers.map((one) => one.next()))
  const late = watch(t, app, saleId)
  const cut = app.server.closeAllConnections.bind(app.server)
  app.server.closeAllConnections = () => {
    t.fail('the drain had to cut what did not end')
    cut()
  }
  await late
  await app.close()
  await Promise.all([...watchers, await late].map((one) => one.ended))
  t.pass('all have ended')
})

/** Waits for what a socket's other end comes to notice. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}
