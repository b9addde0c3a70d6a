/** The queue's pages: for who has had the token a moment ago, and for looking only. */
import { createHmac } from 'node:crypto'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import tap from 'tap'
import { openQueueBoard } from '../../src/queue-board.js'
import { openWorkQueue } from '../../src/queue.js'
import { refused } from './refused.js'
import { adminToken, openApp, openShop } from './shop.js'

const shop = await openShop(tap)
const fail = (error: Error) => tap.fail(error.message)
const { app, call } = await openApp(tap, { ...shop, openBoard: async () => openQueueBoard(shop.redisUrl, fail) })
const authorization = `Bearer ${adminToken}`
const open = (headers: Record<string, string> = {}, from = app) =>
  from.inject({ method: 'POST', url: '/v1/admin/queues/session', headers: { authorization, ...headers } })
const session = async () => String((await open()).headers['set-cookie']).split(';')[0]!
const look = (url: string, cookie?: string, accept = 'application/json') =>
  app.inject({ method: 'GET', url, headers: { accept, ...(cookie === undefined ? {} : { cookie }) } })

const signed = (untilSeconds: number, token = adminToken) =>
  `flash_sale_queues=${untilSeconds}.${createHmac('sha256', token).update(`/admin/queues ${untilSeconds}`).digest('base64url')}`
const inAMinute = () => Math.floor(Date.now() / 1_000) + 60

void tap.test('for the token, a browser gets a cookie of its own: short, for these pages only, and out of reach of scripts and other sites', async (t) => {
  const { statusCode, body, headers } = await open()
  t.equal(statusCode, 204)
  t.equal(body, '')
  t.equal(headers['cache-control'], 'no-store')
  const [pair, ...attributes] = String(headers['set-cookie']).split('; ')
  t.strictSame(attributes.toSorted(), ['HttpOnly', 'Max-Age=900', 'Path=/admin/queues', 'SameSite=Strict'])
  t.notMatch(pair, adminToken)
  const untilSeconds = Number(/=(\d+)\./.exec(pair!)?.[1])
  t.ok(Math.abs(untilSeconds - Date.now() / 1_000 - 900) < 60)
})

void tap.test('over https the cookie never travels without', async (t) => {
  const { app: behind } = await openApp(t, shop, { trustProxy: ['127.0.0.1'] })
  t.match((await open({ 'x-forwarded-proto': 'https' }, behind)).headers['set-cookie'], /; Secure/)
  t.notMatch((await open({ 'x-forwarded-proto': 'http' }, behind)).headers['set-cookie'], /Secure/)
  t.notMatch((await open({ 'x-forwarded-proto': 'https' })).headers['set-cookie'], /Secure/, 'nobody but a proxy that is trusted is believed')
})

void tap.test('without the token there is no cookie', async (t) => {
  for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
    const reply = await call('POST', '/v1/admin/queues/session', { headers })
    refused(t, reply, 'unauthorized')
    t.equal(reply.header('set-cookie'), undefined)
  }
  const { call: nobodys } = await openApp(t, shop, { adminToken: null })
  refused(t, await nobodys('POST', '/v1/admin/queues/session', { headers: { authorization } }), 'unauthorized')
})

void tap.test('without a cookie that holds, nothing of the queue is seen', async (t) => {
  const sound = await session()
  const [name, value] = sound.split('=') as [string, string]
  const past = Math.floor(Date.now() / 1_000) - 1
  const cookies: [string, string | undefined][] = [
    ['none', undefined], ['an empty one', 'flash_sale_queues='], ['the token itself', `flash_sale_queues=${adminToken}`],
    ['one that has expired', signed(past)], ['one whose time was changed', `${name}=${inAMinute() + 900}.${value.split('.')[1]}`],
    ['one that another token signed', signed(inAMinute(), 'operator-9876543210')], ['one that no token signed', signed(inAMinute(), '')],
    ['one that is cut', sound.slice(0, -1)], ['one with more behind it', `${sound}A`], ['no time', `flash_sale_queues=.${value.split('.')[1]}`],
  ]
  for (const [what, cookie] of cookies) {
    for (const url of ['/admin/queues/', '/admin/queues/api/queues', '/admin/queues/static/favicon.ico']) {
      const reply = await look(url, cookie)
      t.equal(reply.statusCode, 401, `${what}: ${url}`)
      t.match(reply.json(), { code: 'unauthorized' })
    }
    const page = await look('/admin/queues/', cookie, 'text/html')
    t.match({ status: page.statusCode, to: page.headers.location }, { status: 302, to: '/admin' }, `${what}: a page goes to where the token is asked for`)
  }
  t.equal((await look('/admin/queues/', signed(inAMinute()))).statusCode, 200, 'and one that was put together as it should be is good')
})

void tap.test('an operator sees the queue’s jobs, and no id of an order in them', async (t) => {
  const queue = openWorkQueue(shop.redisUrl, fail)
  t.teardown(() => queue.close())
  const saleId = await shop.publish()
  const { orderId } = await shop.paid(saleId)
  await queue.add({ saleId, shard: 0, first: '1-0', last: '2-0' })
  const redis = new Redis(shop.redisUrl, { maxRetriesPerRequest: null })
  const foreign = new Queue('persist', { connection: redis, prefix: 'fs:{queue}' })
  t.teardown(async () => { await foreign.close(); redis.disconnect() })
  await foreign.add('persist', { customer: 'Zoë' }, { jobId: 'foreign' })
  await redis.hset('fs:{queue}:persist:foreign', 'failedReason', `order ${orderId} was refused`)

  const cookie = await session()
  const page = await look('/admin/queues/', cookie, 'text/html')
  t.equal(page.statusCode, 200)
  t.match(page.body, /Flash-sale queue/)
  t.equal(page.headers['cache-control'], 'no-store')
  const list = await look('/admin/queues/api/queues?activeQueue=persist&status=waiting&page=1&jobsPerPage=10', cookie)
  t.equal(list.statusCode, 200)
  const { queues: [its] } = list.json() as { queues: { counts: object; readOnlyMode: boolean; jobs: { id: string; data: unknown; failedReason?: string }[] }[] }
  t.match(its, { readOnlyMode: true, counts: { waiting: 2 } })
  t.match(its!.jobs.find(({ id }) => id === `${saleId}.0.1-0.0`)?.data, { saleId, first: '1-0', last: '2-0' })
  const odd = its!.jobs.find(({ id }) => id === 'foreign')
  t.equal(odd?.data, 'not shown', 'data that nobody has thought of stays inside')
  t.match(odd?.failedReason, /^order o\./, 'what went wrong is said')
  t.notMatch(list.body, orderId, 'without the id in full')
})

void tap.test('nothing about the queue can be changed there', async (t) => {
  const cookie = await session()
  const before = await shop.redis.keys('fs:{queue}:*')
  for (const [method, path] of [
    ['PUT', 'persist/pause'], ['PUT', 'persist/empty'], ['PUT', 'persist/obliterate'], ['PUT', 'persist/retry/failed'], ['PUT', 'persist/clean/waiting'],
    ['POST', 'persist/add'], ['PUT', 'persist/foreign/clean'], ['PUT', 'persist/foreign/retry/failed'], ['PUT', 'persist/promote'],
  ] as const) {
    const { statusCode } = await app.inject({ method, url: `/admin/queues/api/queues/${path}`, headers: { cookie }, payload: {} })
    t.ok(statusCode >= 400 && statusCode < 500, `${path}: ${statusCode}`)
  }
  t.equal((await app.inject({ method: 'PUT', url: '/admin/queues/api/queues/pause', headers: { cookie } })).statusCode < 500, true)
  t.strictSame((await shop.redis.keys('fs:{queue}:*')).toSorted(), before.toSorted())
  t.equal(await shop.redis.hexists('fs:{queue}:persist:meta', 'paused'), 0)
})

void tap.test('with Redis away, the queue’s pages say so at once', async (t) => {
  const { app: cutOff } = await openApp(t, { ...shop, openBoard: async () => openQueueBoard('redis://127.0.0.1:1', () => {}) })
  const reply = await cutOff.inject({ method: 'GET', url: '/admin/queues/api/queues', headers: { cookie: signed(inAMinute()) } })
  t.equal(reply.statusCode, 503)
  t.match(reply.json(), { code: 'unavailable' })
})

void tap.test('the API has no connection to the queue until somebody looks', async (t) => {
  let opened = 0
  const { app: fresh } = await openApp(t, { ...shop, openBoard: async () => { opened += 1; return openQueueBoard(shop.redisUrl, fail) } })
  const cookie = signed(inAMinute())
  await fresh.inject({ method: 'GET', url: '/admin/queues/api/queues' })
  t.equal(opened, 0, 'nor when somebody may not')
  for (let i = 0; i < 2; i += 1) t.equal((await fresh.inject({ method: 'GET', url: '/admin/queues/api/queues', headers: { cookie } })).statusCode, 200)
  t.equal(opened, 1)
})
