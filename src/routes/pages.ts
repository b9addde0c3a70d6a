/**
 * The pages: the shop window at `/`, the control room at `/admin`, and the scripts and styles that they are built into. Files
 * are read once, at the start.
 */
import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'

/** Where the build puts the pages; seen from the source, the build is beside it. */
const folder = new URL(import.meta.url.endsWith('.ts') ? '../../dist/web/' : '../../web/', import.meta.url)

const pages = { '/': 'shop.html', '/admin': 'admin.html' } as const
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

export async function pagesRoutes(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    // Everything is of this origin: to upgrade it would change nothing behind TLS, and break a shop that is served without.
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
  })
  for (const [url, file] of Object.entries(pages)) await serve(app, url, file, 'no-cache')
  // Their names change with their content.
  for (const file of await readBuilt(() => readdir(new URL('assets/', folder)))) {
    await serve(app, `/assets/${file}`, `assets/${file}`, 'public, max-age=31536000, immutable')
  }
}

async function serve(app: FastifyInstance, url: string, file: string, cacheControl: string): Promise<void> {
  const body = await readBuilt(() => readFile(new URL(file, folder)))
  const gzipped = gzipSync(body, { level: 9 })
  const headers = { 'content-type': types[extname(file)] ?? 'application/octet-stream', 'cache-control': cacheControl, vary: 'accept-encoding' }
  app.get(url, { schema: { hide: true } }, (request, reply) => {
    reply.headers(headers)
    if (!/\bgzip\b/.test(String(request.headers['accept-encoding']))) return reply.send(body)
    return reply.header('content-encoding', 'gzip').send(gzipped)
  })
}

async function readBuilt<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw new Error(`the pages are not built (${fileURLToPath(folder)}): npm run build`, { cause: error })
  }
}
