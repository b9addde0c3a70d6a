/**
 * Bodies: JSON in UTF-8, and nothing else. An empty body is no body, whatever its content type says: a
 * DELETE with a client's default headers is not an error. Keys that reach for a prototype are refused.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** A body that is not text. */
class NotUtf8 extends Error {
  override readonly name = 'NotUtf8'
  readonly statusCode = 400
}

/**
 * @param app this scope's parsers are replaced
 * @param keep given the bytes as they came, where a route needs them for a signature
 */
export function parseJson(app: FastifyInstance, keep?: (request: FastifyRequest, body: Buffer) => void): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    keep?.(request, body)
    if (body.length === 0) return done(null, undefined)
    if (!isUtf8(body)) return done(new NotUtf8('the body is not UTF-8'), undefined)
    return parse(request, body.toString(), done)
  })
}

/** A preValidation hook for routes whose body may be left out: it counts as `{}` then. A `null` that was sent is no body left out. */
export function bodyMayBeMissing(request: FastifyRequest, _reply: unknown, done: () => void): void {
  if (request.body === undefined) request.body = {}
  done()
}
