import tap from 'tap'
import { freshDatabase } from '../postgres.js'
import { startApi } from '../races/processes.js'
import { freshRedis } from '../redis.js'
import { violations } from './axe.js'
import { openBrowser } from './chromium.js'

const api = await startApi(tap, { redisUrl: (await freshRedis(tap)).url, databaseUrl: await freshDatabase(tap) })
const browser = await openBrowser(tap)

/** Every address that a page names, of this origin or another. */
const named = (html: string) => [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address!)

for (const path of ['/', '/admin']) {
  void tap.test(`${path} is a page that says nothing to anybody else, and keeps nothing that could be outdated`, async (t) => {
    const answer = await fetch(`${api.url}${path}`)
    t.equal(answer.status, 200)
    t.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
    t.equal(answer.headers.get('cache-control'), 'no-cache')
    t.match(answer.headers.get('content-security-policy'), /default-src 'self'.*script-src 'self'/)
    t.notMatch(answer.headers.get('content-security-policy'), /script-src[^;]*unsafe/)
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    t.equal(answer.headers.get('x-frame-options'), 'SAMEORIGIN')
    t.equal(answer.headers.get('referrer-policy'), 'no-referrer')
    t.equal(answer.headers.get('set-cookie'), null)

    const html = await answer.text()
    t.notMatch(html, /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/i, 'nothing inline')
    t.equal(named(html).length, 3)
    for (const address of named(html)) {
      t.match(address, /^\/assets\/\w+-[A-Z0-9]{8}\.(js|css|svg)$/, 'its own, named for its content')
      const asset = await fetch(`${api.url}${address}`)
      t.equal(asset.status, 200)
      t.equal(asset.headers.get('cache-control'), 'public, max-age=31536000, immutable')
      t.match(asset.headers.get('content-type'), /^(text\/javascript|text\/css|image\/svg\+xml)/)
      t.equal(asset.headers.get('x-content-type-options'), 'nosniff')
      t.equal(asset.headers.get('content-encoding'), 'gzip')
      const plain = await fetch(`${api.url}${address}`, { headers: { 'accept-encoding': 'identity' } })
      t.equal(plain.headers.get('content-encoding'), null)
      t.equal(await plain.text(), await asset.text(), 'the same, compressed or not')
    }
    const head = await fetch(`${api.url}${path}`, { method: 'HEAD' })
    t.equal(head.status, 200)
    t.equal(head.headers.get('cache-control'), 'no-cache')
    t.match(await (await fetch(`${api.url}${path}`, { method: 'POST' })).json(), { status: 404, code: 'route_not_found' })
  })

  void tap.test(`${path} opens in a browser, which finds nothing to complain about`, async (t) => {
    const page = await browser.newPage()
    t.teardown(() => page.close())
    const complaints: string[] = []
    page.on('console', (message) => { if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text()) })
    page.on('pageerror', (error) => complaints.push(String(error)))
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await page.goto(`${api.url}${path}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    t.strictSame(await violations(page), [], 'whoever cannot see it')
    t.strictSame(complaints, [])
    t.strictSame(asked.filter((url) => !url.startsWith(`${api.url}/`)), [], 'nothing is asked of anybody else')
    t.strictSame(await page.context().cookies(), [])
  })
}

void tap.test('the pages are no part of the contract, and the calls of the API pay nothing for them', async (t) => {
  const { paths } = (await (await fetch(`${api.url}/openapi.json`)).json()) as { paths: object }
  t.strictSame(Object.keys(paths).filter((path) => !/^\/(v1\/|healthz|readyz|metrics)/.test(path)), [])
  t.equal((await fetch(`${api.url}/v1/sales`)).headers.get('content-security-policy'), null)
  const gone = await fetch(`${api.url}/assets/shop-00000000.js`)
  t.equal(gone.status, 404)
  t.match(await gone.json(), { code: 'route_not_found' })
})
