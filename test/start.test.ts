import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import tap, { type Test } from 'tap'
import { birthOf } from '../src/cli/servers/processes.js'
import type { Cart, Order, Sale } from '../src/contract.js'
import { runOn } from './postgres.js'

// A start of its own, with servers of its own and the settings' defaults.
const { REDIS_URL: _redis, DATABASE_URL: _postgres, ADMIN_TOKEN: _admin, NODE_ENV: _environment, ...inherited } = process.env

interface Started {
  pid: number
  lines: string[]
  /** Resolves with a line that matches, or rejects when the start ends first. */
  said(pattern: RegExp): Promise<string>
  ended: Promise<number | null>
}

async function free(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  return port
}

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'flash-sale-start-'))
  await chmod(path, 0o755)
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

/** `npm start`, less the build that this run already has, leading a process group as a terminal's foreground command does. */
function start(t: Test, env: Record<string, string>): Started {
  const child = spawn('npm', ['start', '--ignore-scripts'], { env: { ...inherited, ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  const waiting = new Set<() => void>()
  const wake = () => waiting.forEach((check) => check())
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      wake()
    })
  }
  let over = false
  const ended = once(child, 'close').then(([code]) => {
    over = true
    wake()
    return code as number | null
  })
  t.teardown(async () => {
    if (!over) interrupt(child.pid!)
    await ended
  })
  const said = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        const line = lines.find((candidate) => pattern.test(candidate))
        if (line === undefined && !over) return
        waiting.delete(check)
        if (line === undefined) reject(new Error(`It ended without saying ${pattern}:\n${lines.join('\n')}`))
        else resolve(line)
      }
      waiting.add(check)
      check()
    })
  return { pid: child.pid!, lines, said, ended }
}

/** A Ctrl-C: the terminal sends it to the whole foreground group, where there is one still. */
function interrupt(pid: number): void {
  try {
    process.kill(-pid, 'SIGINT')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function call<T>(url: string, body?: object): Promise<T> {
  const response = await fetch(url, body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}

async function databaseUrl(dataFolder: string): Promise<string> {
  const password = (await readFile(join(dataFolder, 'postgres-password'), 'utf8')).trim()
  const port = (await readFile(join(dataFolder, 'postgres/postmaster.pid'), 'utf8')).split('\n')[3]
  return `postgres://postgres:${password}@127.0.0.1:${port}/flash_sale`
}

async function processesOf(dataFolder: string): Promise<number[]> {
  const { started } = JSON.parse(await readFile(join(dataFolder, 'running.json'), 'utf8')) as { started: { pid: number }[] }
  return started.map(({ pid }) => pid)
}

const customer = { name: 'Ada', email: 'ada@example.com', address: { line1: '1 Quay', city: 'Cork', postalCode: 'T12', country: 'IE' } }

tap.test('one command opens a shop that sells to the row in Postgres, keeps it, and leaves nothing behind', async (t) => {
  const dataFolder = join(await folder(t), 'data')
  const port = await free()
  const env = { DATA_FOLDER: dataFolder, PORT: String(port) }
  const shop = `http://127.0.0.1:${port}`

  const first = start(t, env)
  await first.said(/Ctrl-C stops everything/)
  const token = (await first.said(/Authorization: Bearer/)).trim().split(' ').at(-1)!
  t.equal((await stat(join(dataFolder, 'secrets.json'))).mode & 0o777, 0o600)

  // The printed lines do what they say, as they stand.
  const curls = first.lines.filter((line) => line.trim().startsWith('curl '))
  t.equal(curls.length, 3)
  for (const line of curls) {
    const child = spawn('sh', ['-c', line.replace('curl -s', 'curl -sf')], { stdio: ['ignore', 'ignore', 'inherit'] })
    t.same(await once(child, 'close'), [0, null], line)
  }

  const sale = await call<Sale>(`${shop}/v1/sales/12-12`)
  t.equal(sale.items?.length, 12)
  const { sku, price } = sale.items![0]!
  const cart = await call<Cart>(`${shop}/v1/sales/12-12/carts`, { items: [{ sku, quantity: 1 }] })
  const order = await call<Order>(`${shop}/v1/carts/${cart.cartId}/checkout`, { customer })
  const paid = await call<Order>(`${shop}/v1/orders/${order.orderId}/payments`, { paymentToken: 'tok_ok' })
  t.equal(paid.status, 'paid')

  const url = await databaseUrl(dataFolder)
  const row = async () => (await runOn<{ status: string; total_amount: string }>(url, 'select status, total_amount from orders where order_id = $1', [order.orderId]))[0]
  const deadline = performance.now() + 20_000
  while ((await row()) === undefined && performance.now() < deadline) await delay(50)
  t.match(await row(), { status: 'paid', total_amount: String(price.amount) })

  const pids = await processesOf(dataFolder)
  t.equal(pids.length, 5, 'Redis, Postgres, migrate, api, worker')
  const from = performance.now()
  interrupt(first.pid)
  // People press it again.
  await delay(100)
  interrupt(first.pid)
  await first.ended
  t.ok(performance.now() - from < 10_000, 'it ends in under ten seconds')
  for (const pid of pids) t.equal(await birthOf(pid), null)
  t.equal(await stat(join(dataFolder, 'running.json')).catch(() => null), null)

  const second = start(t, env)
  t.match(await second.said(/12\.12 sale/), /from an earlier start, and it is open/)
  t.equal((await second.said(/Authorization: Bearer/)).trim().split(' ').at(-1), token, 'the token is the same')
  await second.said(/Ctrl-C stops everything/)
  t.match(await call<Order>(`${shop}/v1/orders/${order.orderId}`), { status: 'paid', persisted: true })

  const [, , , api] = await processesOf(dataFolder)
  process.kill(api!, 'SIGKILL')
  t.match(await second.said(/ended unexpectedly/), /The api ended unexpectedly \(SIGKILL\)/)
  t.equal(await second.ended, 1, 'a process that dies ends the whole start, as a failure')
  t.equal(await stat(join(dataFolder, 'running.json')).catch(() => null), null)
})

tap.test('a start that was killed is cleaned up by the next one, its processes as well as its servers', async (t) => {
  const dataFolder = join(await folder(t), 'data')
  const env = { DATA_FOLDER: dataFolder, PORT: String(await free()) }
  const first = start(t, env)
  await first.said(/Ctrl-C stops everything/)
  const pids = await processesOf(dataFolder)
  process.kill(-first.pid, 'SIGKILL')
  await first.ended

  const second = start(t, env)
  await second.said(/Ctrl-C stops everything/)
  for (const pid of pids) t.equal(await birthOf(pid), null)
  interrupt(second.pid)
  await second.ended
})

tap.test('a port that is taken ends the start with one line, before anything is started', async (t) => {
  const dataFolder = join(await folder(t), 'data')
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const refused = start(t, { DATA_FOLDER: dataFolder, PORT: String(port) })
  t.equal(await refused.ended, 1)
  t.equal(refused.lines.filter((line) => line.includes(`Port ${port} on 127.0.0.1 is taken`)).length, 1)
  t.notMatch(refused.lines.join('\n'), /Redis|Postgres|^\s+at /m)
})

tap.test('a setting that is off ends the start with one line that names it', async (t) => {
  const refused = start(t, { DATA_FOLDER: join(await folder(t), 'data'), PORT: 'shop' })
  t.equal(await refused.ended, 1)
  t.match(refused.lines.join('\n'), /^PORT: /m)
})
