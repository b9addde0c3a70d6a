/**
 * The API: plugins and routes around an engine, a database and a provider that it is handed. It never listens.
 */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController, type onRequestHookHandler } from 'fastify'
import type { ApiSettings } from './config.js'
import type { Database } from './database.js'
import type { Engine } from './engine/engine.js'
import type { FeedOptions } from './events.js'
import { createLogger } from './log.js'
import { createMetrics, type Metrics } from './metrics.js'
import type { PaymentProvider } from './payments/provider.js'
import { describeRoutes } from './plugins/docs.js'
import { endConnections } from './plugins/drain.js'
import { parseJson } from './plugins/json.js'
import { limitClients } from './plugins/limits.js'
import { answerBrokenHttp, answerProblems, answerUnroutable } from './plugins/problems.js'
import type { QueueBoard } from './queue-board.js'
import { adminRoutes } from './routes/admin.js'
import { cartsRoutes } from './routes/carts.js'
import { eventsRoutes } from './routes/events.js'
import { figuresRoutes } from './routes/figures.js'
import { operationsRoutes } from './routes/operations.js'
import { ordersRoutes } from './routes/orders.js'
import { pagesRoutes } from './routes/pages.js'
import { paymentsRoutes } from './routes/payments.js'
import { queuesRoutes } from './routes/queues.js'
import { salesRoutes } from './routes/sales.js'
import { within } from './within.js'

export interface AppDeps {
  readonly engine: Engine
  readonly database: Database
  readonly provider: PaymentProvider
  readonly settings: Pick<ApiSettings, 'adminToken' | 'paymentWebhookSecrets' | 'rateLimitMax' | 'trustProxy' | 'corsOrigins'>
  /** How the queue's jobs are looked at; without it they are not. */
  readonly openBoard?: () => Promise<QueueBoard>
  /** Silent by default. */
  readonly logger?: FastifyBaseLogger
  /** The composer's, where the engine counts into the same ones. */
  readonly metrics?: Metrics
  /** How sales are watched, where it is not as usual. */
  readonly watching?: Partial<Pick<FeedOptions, 'timers' | 'bound'>>
}

/** Largest body of most routes, in bytes. */
const bodyLimit = 65_536
/** Largest headers of a request, in bytes; an id of any length is inside this bound, and its route says 404. */
const maxHeaderSize = 16_384
/** How long a request may take to arrive, in ms. With the pause between checks it is answered within ten seconds. */
const requestTimeout = 8_000
const connectionsCheckingInterval = 1_000
/** How long a scrape waits for the outboxes, in ms. */
const outboxesMs = 500

const forbidCaching: onRequestHookHandler = (_request, reply, done) => {
  reply.header('cache-control', 'no-store')
  done()
}

export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { engine, database, provider, settings, metrics = createMetrics(), watching = {} } = deps
  const log: FastifyBaseLogger = deps.logger ?? createLogger('silent')
  const app = fastify({
    // Where Fastify itself has a logger, it listens for the end of every answer, whether or not it then has anything to say.
    logger: false,
    // Fastify's own lines hold URLs, and those hold ids.
    logController: new LogController({ disableRequestLogging: true }),
    // A line that is logged names its route; a logger a request would cost each of them more than its id is worth.
    childLoggerFactory: () => log,
    bodyLimit,
    requestTimeout,
    http: { headersTimeout: requestTimeout, connectionsCheckingInterval, maxHeaderSize },
    routerOptions: { maxParamLength: maxHeaderSize },
    trustProxy: settings.trustProxy.length === 0 ? false : [...settings.trustProxy],
    // A drain lets requests in flight end, and answers those that come over connections that are still open.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    clientErrorHandler: answerBrokenHttp,
    frameworkErrors: answerUnroutable,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false, strict: true } },
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.log = log
  endConnections(app, requestTimeout)
  app.decorate('metrics', metrics)
  metrics.countRoutes(app)
  metrics.watchOutboxes(() => within(outboxesMs, engine.outboxes()))
  parseJson(app)
  await limitClients(app, settings)
  answerProblems(app, settings.rateLimitMax > 0 ? app.rateLimit() : null)
  await describeRoutes(app)

  await app.register(operationsRoutes, { engine, database })
  await app.register(pagesRoutes)
  await app.register(async (live) => {
    live.addHook('onRoute', (route) => {
      if (route.method === 'GET' || route.method === 'HEAD') route.onRequest = [route.onRequest ?? [], forbidCaching].flat()
    })
    await live.register(salesRoutes, { engine })
    await live.register(eventsRoutes, { engine, watching })
    await live.register(cartsRoutes, { engine, database })
    await live.register(ordersRoutes, { engine, database, provider })
    await live.register(paymentsRoutes, { engine, secrets: settings.paymentWebhookSecrets })
    await live.register(adminRoutes, { engine, database, adminToken: settings.adminToken })
    await live.register(figuresRoutes, { engine, adminToken: settings.adminToken })
  })
  await app.register(queuesRoutes, { adminToken: settings.adminToken, openBoard: deps.openBoard ?? null })
  return app
}
