/**
 * The queue's jobs, as pages for operators. A browser that opens a page sends no token, so these are behind a cookie of their own, which an
 * operator's call gives for the token. It says until when it holds, and is signed with the token: any API process can tell, and none keeps it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createBullBoard } from '@bull-board/api'
import { FastifyAdapter } from '@bull-board/fastify'
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { redact } from '../log.js'
import type { QueueBoard } from '../queue-board.js'
import { operatorOnly } from './credentials.js'
import { refusals, refuse, unavailable } from './refuse.js'

const pages = '/admin/queues'
const cookieName = 'flash_sale_queues'
/** What the page would fetch from elsewhere: fonts, without which it has those of the system. */
const foreignStyles = /<link href="https:[^>]*>/g
/** How long the pages are open for the token, in seconds. */
const sessionSeconds = 900

export interface QueuesDeps {
  adminToken: string | null
  /** Opens the queue; called once somebody looks at it. Null where there is none to look at. */
  openBoard: (() => Promise<QueueBoard>) | null
}

export const queuesRoutes: FastifyPluginAsyncTypebox<QueuesDeps> = async (app, { adminToken, openBoard }) => {
  await app.register(cookie)

  app.post('/v1/admin/queues/session', {
    preHandler: operatorOnly(adminToken),
    schema: {
      tags: ['admin'],
      security: [{ operator: [] }],
      summary: 'Opens the pages of the queue to this browser',
      description: `For ${sessionSeconds} seconds, by a cookie that only \`${pages}\` is sent, and no script can read.`,
      response: {
        204: { type: 'null', description: 'Open', headers: { 'set-cookie': Type.String() } },
        ...refusals('unauthorized'),
      },
    },
  }, async (request, reply) => {
    const untilSeconds = Math.floor(Date.now() / 1_000) + sessionSeconds
    return reply.status(204).header('cache-control', 'no-store').setCookie(cookieName, sign(untilSeconds, adminToken ?? ''), {
      path: pages, httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https', maxAge: sessionSeconds,
    }).send()
  })

  if (openBoard !== null) await app.register(boardPages, { adminToken, openBoard, prefix: pages })
}

const boardPages: FastifyPluginAsyncTypebox<{ adminToken: string | null; openBoard: () => Promise<QueueBoard> }> = async (app, { adminToken, openBoard }) => {
  await app.register(helmet, {
    // As on the other pages, but for styles and fonts: those of other origins would tell them who looks.
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null, styleSrc: ["'self'", "'unsafe-inline'"], fontSrc: ["'self'"] } },
  })
  const serverAdapter = new FastifyAdapter().setBasePath(pages)
  const { addQueue } = createBullBoard({
    queues: [],
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Flash-sale queue', miscLinks: [{ text: 'Control room', url: '/admin' }], hideRedisDetails: true } },
  })
  // Answered and logged as everywhere else: its own answer would tell what went wrong inside.
  serverAdapter.setErrorHandler((error) => { throw error })

  let opened: Promise<QueueBoard> | null = null
  async function board(): Promise<QueueBoard> {
    opened ??= openBoard().then((its) => {
      addQueue(its.adapter)
      return its
    })
    return opened
  }

  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    if (adminToken !== null && holds(request.cookies[cookieName], adminToken)) return
    return turnAway(request, reply)
  })
  app.addHook('preHandler', async (request, reply) => {
    if (!request.url.startsWith(`${pages}/api/`)) return
    try {
      await (await board()).ready()
    } catch (error) {
      app.log.warn({ err: error }, 'the queue cannot be reached')
      return reply.send(refuse(reply, unavailable))
    }
  })
  // An error that a job met may name an order, and an id is a capability.
  app.addHook('onSend', async (_request, _reply, payload) => (typeof payload === 'string' ? redact(payload).replace(foreignStyles, '') : payload))
  app.addHook('onClose', async () => {
    await (await opened?.catch(() => null))?.close()
  })
  await app.register(serverAdapter.registerPlugin())
}

/** A page that was opened too late goes to where the token is asked for. */
async function turnAway(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  if (request.method === 'GET' && request.headers.accept?.includes('text/html')) return reply.redirect('/admin')
  return reply.send(refuse(reply, { refused: 'unauthorized' }))
}

/** @returns until when the pages are open, in Unix seconds, and the proof that an operator's token was there for it */
function sign(untilSeconds: number, adminToken: string): string {
  return `${untilSeconds}.${createHmac('sha256', adminToken).update(`${pages} ${untilSeconds}`).digest('base64url')}`
}

function holds(session: string | undefined, adminToken: string): boolean {
  const untilSeconds = Number(/^(\d{1,12})\./.exec(session ?? '')?.[1] ?? 0)
  const expected = Buffer.from(sign(untilSeconds, adminToken))
  const given = Buffer.from(session ?? '')
  return given.length === expected.length && timingSafeEqual(given, expected) && untilSeconds > Date.now() / 1_000
}
