/** A plain Fastify with the server options of the API: no plugin, no hook, no metrics, no parser of its own. */
import fastify, { type FastifyInstance } from 'fastify'

export function plainServer() {
  return fastify({
    logger: false,
    bodyLimit: 65_536,
    requestTimeout: 8_000,
    http: { headersTimeout: 8_000, connectionsCheckingInterval: 1_000, maxHeaderSize: 16_384 },
    routerOptions: { maxParamLength: 16_384 },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false, strict: true } },
  })
}

/** Listens on a free port, tells the bench which, and ends with it. */
export async function serve(app: FastifyInstance): Promise<void> {
  process.on('disconnect', () => process.exit())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  process.send?.({ port: address !== null && typeof address === 'object' ? address.port : 0 })
}
