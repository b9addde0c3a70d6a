/**
 * Who may call from where, and how often. The rate is counted in this process: a shared count would cost
 * every request a round trip, and the limit is there for one client that goes wild, not for bookkeeping.
 */
import cors from '@fastify/cors'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import type { ApiSettings } from '../config.js'

/** Client addresses that are counted at a time; the least recent is forgotten. */
const maxClients = 20_000

/** A client over its limit. */
class TooManyRequests extends Error {
  override readonly name = 'TooManyRequests'
  readonly statusCode = 429
}

/** For the `config` of a route that machines poll: it is not counted. */
export const unlimited = { rateLimit: false } as const

export async function limitClients(app: FastifyInstance, settings: Pick<ApiSettings, 'rateLimitMax' | 'corsOrigins'>): Promise<void> {
  if (settings.corsOrigins.length > 0) {
    await app.register(cors, {
      origin: settings.corsOrigins.includes('*') ? '*' : [...settings.corsOrigins],
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
      exposedHeaders: ['Location', 'Retry-After'],
      strictPreflight: false,
      maxAge: 600,
    })
  }
  if (settings.rateLimitMax > 0) {
    await app.register(rateLimit, {
      max: settings.rateLimitMax,
      timeWindow: 1_000,
      cache: maxClients,
      errorResponseBuilder: () => new TooManyRequests('one client is over its limit'),
    })
  }
}
