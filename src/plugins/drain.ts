/**
 * The end of an API process' connections. A drain lets requests in flight end, and waits for no client: Node itself closes
 * only connections that are idle after a request, and stops looking for slow ones as soon as a server closes.
 */
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** How soon a drain closes a connection that has become idle, in ms. */
const reapMs = 50

/** @param arrivalMs how long what has begun to arrive may take to be answered, once a drain has begun */
export function endConnections(app: FastifyInstance, arrivalMs: number): void {
  const open = new Set<Socket>()
  app.server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  app.addHook('preClose', (done) => {
    if (app.server.listening) {
      const reaper = setInterval(() => {
        // Its last request arrived before the drain began, and its answer has kept it alive.
        app.server.closeIdleConnections()
        // Browsers open connections beforehand; over this one nothing was ever asked.
        for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
      }, reapMs)
      const end = setTimeout(() => app.server.closeAllConnections(), arrivalMs)
      app.server.once('close', () => {
        clearInterval(reaper)
        clearTimeout(end)
      })
    }
    done()
  })
}
