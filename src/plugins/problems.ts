/**
 * Errors: whatever goes wrong leaves as one of the contract's problems. A client never sees a stack or a
 * message of ours, and a log never sees a URL: its ids are capabilities.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify'
import { type Problem, problem, problemStatus, type Refusal } from '../problems.js'
import { problemType, refuse, unavailable } from '../routes/refuse.js'

/** Faults that are logged a second; when Redis is gone, every request is one. */
const maxLoggedPerSecond = 10
/** How long a refused client may go on sending before its socket is cut, in ms: cut at once, it would not get to read why. */
const lingerMs = 500

/** The refusals of the server itself, by what Fastify or Node call them. */
const refusedByServer: Readonly<Record<string, Refusal>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { refused: 'payload_too_large' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { refused: 'unsupported_media_type' },
  ERR_HTTP_REQUEST_TIMEOUT: { refused: 'request_timeout' },
  HPE_HEADER_OVERFLOW: { refused: 'headers_too_large' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { refused: 'payload_too_large' },
}

/** @param limit the limit of the not-found route, which a client can ask for as often as any other; null for none */
export function answerProblems(app: FastifyInstance, limit: preHandlerHookHandler | null): void {
  const logged = boundedLog(app)
  // Node itself would refuse an expectation that it does not know, and not with a problem; nobody has to meet one.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const refusal = refusalOf(error)
    if (request.is404) app.metrics.unrouted(problemStatus(refusal.refused))
    if (refusal === unavailable && !request.raw.destroyed) logged(error, request)
    return reply.send(refuse(reply, refusal))
  })
  app.setNotFoundHandler({ preHandler: limit ?? [] }, (_request, reply) => {
    app.metrics.unrouted(404)
    return reply.send(refuse(reply, { refused: 'route_not_found' }))
  })
}

/** What the router cannot take, a URL that does not decode or a parameter without end: there is nothing at such an address. */
export function answerUnroutable(_error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  reply.server.metrics.unrouted(404)
  reply.send(refuse(reply, { refused: 'route_not_found' }))
}

function refusalOf(error: FastifyError): Refusal {
  if (error.validation) return invalidRequest(error.validation, error.validationContext)
  const known = refusedByServer[error.code]
  if (known !== undefined) return known
  if (error.statusCode === 429) return { refused: 'too_many_requests' }
  // What Fastify holds against the client: a body that is not JSON, or that ends early.
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) return invalid('', 'the body is not valid JSON in UTF-8')
  return unavailable
}

function invalid(path: string, message: string): Refusal {
  return { refused: 'invalid_request', errors: [{ path, message }] }
}

/** Paths into the body are JSON pointers, `/items/0/quantity`; others say where they are, `headers/idempotency-key`. */
function invalidRequest(faults: NonNullable<FastifyError['validation']>, context: FastifyError['validationContext']): Refusal {
  const place = context === undefined || context === 'body' ? '' : context
  const errors = faults.map(({ instancePath, params, message = 'is not valid' }) => {
    const { additionalProperty, missingProperty } = params
    const member = additionalProperty ?? missingProperty
    const path = typeof member === 'string' ? `${instancePath}/${escapePointer(member)}` : instancePath
    if (additionalProperty !== undefined) return { path: place + path, message: 'is not a known field' }
    return { path: place + path, message: missingProperty === undefined ? message : 'is required' }
  })
  return { refused: 'invalid_request', errors }
}

/** A member's name as a part of a JSON pointer (RFC 6901), of bounded length. */
function escapePointer(name: string): string {
  return name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')
}

function boundedLog(app: FastifyInstance): (error: Error, request: FastifyRequest) => void {
  let second = 0
  let count = 0
  return (error, request) => {
    const now = Math.floor(performance.now() / 1_000)
    if (now !== second) {
      if (count > maxLoggedPerSecond) app.log.error({ unlogged: count - maxLoggedPerSecond }, 'more requests failed than are logged')
      second = now
      count = 0
    }
    count += 1
    if (count <= maxLoggedPerSecond) {
      request.log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'a request failed')
    }
  }
}

/** Answers what never became a request: slow or oversized headers, slow bodies, bytes that are not HTTP. */
export function answerBrokenHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const refusal = refusedByServer[error.code ?? ''] ?? invalid('', 'the request is not valid HTTP')
  socket.end(rawReply(problem(refusal)))
  setTimeout(() => socket.destroy(), lingerMs).unref()
}

function rawReply(body: Problem): string {
  const text = JSON.stringify(body)
  return [
    `HTTP/1.1 ${body.status} ${STATUS_CODES[body.status]}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
    '',
    text,
  ].join('\r\n')
}
