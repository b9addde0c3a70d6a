/** A sale as it changes, as server-sent events, for whoever watches it. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { SaleParams, StockEvent } from '../contract.js'
import type { Engine } from '../engine/engine.js'
import { createFeeds, type FeedOptions } from '../events.js'
import { refusals, refuse } from './refuse.js'

const eventStream = 'text/event-stream'
const streamHeaders = {
  'content-type': eventStream,
  'cache-control': 'no-cache',
  // For nginx and those who do as it does.
  'x-accel-buffering': 'no',
}

interface Options {
  readonly engine: Engine
  readonly watching: Partial<Pick<FeedOptions, 'timers' | 'bound'>>
}

export const eventsRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { engine, watching }) => {
  const feeds = createFeeds({ ...watching, read: engine.sale, onDropped: app.metrics.dropped })
  app.metrics.watchWatchers(feeds.watchers)
  app.addHook('preClose', (done) => {
    feeds.end()
    done()
  })

  app.get('/v1/sales/:saleId/events', {
    // Whoever asks for the headers alone would be kept waiting.
    exposeHeadRoute: false,
    config: { takesOver: true },
    schema: {
      tags: ['sales'],
      summary: 'What changes about a sale, as server-sent events',
      description: 'Events of type `stock`: at once the sale with every item, then, at most every 250 ms, what has changed. Under load that may '
        + 'stretch to a second. A connection that was lost begins anew with a whole event. Who reads too slowly is dropped.',
      params: SaleParams,
      response: {
        200: { description: 'A stream of `stock` events; the data of each is this', content: { [eventStream]: { schema: StockEvent } } },
        ...refusals('sale_not_found', 'overloaded'),
      },
    },
  }, async (request, reply) => {
    const serialize = reply.getSerializationFunction('200', eventStream) as unknown as (event: StockEvent) => string
    const refusal = await feeds.watch(request.params.saleId, {
      outlet: reply.raw,
      serialize,
      // All share the bytes of an event, and who does not read them is dropped: neither can be done from within a reply's own stream.
      begin() {
        reply.headers(streamHeaders)
        reply.hijack()
        // Its end is that of the connection, so that an event is one write, the same for all.
        reply.raw.useChunkedEncodingByDefault = false
        // Those of other plugins as well: who may read this.
        for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value!)
      },
    })
    return refusal === null ? reply.hijack() : refuse(reply, refusal)
  })
}
