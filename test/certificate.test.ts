/** The end of a sale: its results, and a certificate that holds and that nothing can be changed in. */
import { createHash, randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tap, { type Test } from 'tap'
import { verify } from '../src/verify.js'
import { newId, openShop } from './contract/shop.js'
import { runOn } from './postgres.js'
import { startProcess } from './races/processes.js'

const shop = await openShop(tap)
const folder = await mkdtemp(join(tmpdir(), 'flash-sale-certificate-'))
tap.teardown(() => rm(folder, { recursive: true, force: true }))

async function run(t: Test, command: string, ...args: string[]): Promise<{ code: number | null; lines: readonly string[] }> {
  const running = startProcess(t, `src/cli/${command}.js`, { redisUrl: shop.redisUrl, databaseUrl: shop.databaseUrl }, {}, args)
  const { code } = await running.ended
  return { code, lines: running.lines }
}
const holds = async (text: string) => {
  const result = await verify((async function* () { yield text })())
  return 'fault' in result ? `${result.line}: ${result.fault}` : 'holds'
}

/** Puts lines of JSON into a chain of their own, as somebody would who wants to hide a change. */
function chain(lines: readonly string[]): string {
  let hash = ''
  return lines.map((json) => `${(hash = createHash('sha256').update(`${hash}\n${json}`).digest('hex'))} ${json}\n`).join('')
}

/** A sale in which everything happened that a ledger tells of, ended and closed. */
async function soldSale(): Promise<{ saleId: string; a: string; b: string; paid: string }> {
  const [a, b] = [newId('a'), newId('b')]
  for (const sku of [a, b]) await shop.putItem(sku, 100)
  const saleId = await shop.publish({ items: { [a]: 10, [b]: 5 } })
  const paid = await shop.paid(saleId, { [a]: 2, [b]: 1 })
  await shop.cart(saleId, { [a]: 1 })
  for (const delta of [5, -2]) {
    const { status } = await shop.operator('POST', `/items/${a}/adjustments`, { delta, reason: 'counted', saleId })
    if (status !== 201) throw new Error(`${status}`)
  }
  await shop.paid(saleId, { [a]: 3 })
  const pending = await shop.pending(saleId, { [b]: 2 })
  await shop.event({ orderId: pending.orderId, paymentId: pending.payment!.paymentId, amount: 1 })
  await shop.event({ orderId: paid.orderId, paymentId: newId('page'), amount: paid.total.amount })
  await shop.control(saleId, 'end')
  await shop.drain(saleId)
  await shop.later(saleId, 3_600)
  await shop.sweep(saleId)
  return { saleId, a, b, paid: paid.orderId }
}

async function exported(t: Test, saleId: string): Promise<string> {
  const file = join(folder, `${newId('file')}.certificate`)
  const { code, lines } = await run(t, 'certificate', saleId, file)
  t.equal(code, 0, lines.join('\n'))
  return readFile(file, 'utf8')
}

void tap.test('a closed sale has its results, and a certificate of everything that was sold, adjusted and given back', async (t) => {
  const { saleId, a, b, paid } = await soldSale()
  t.strictSame(await runOn(shop.databaseUrl, 'select sku, allocation::int, sold::int, given_back::int from sale_results where sale_id = $1 order by sku', [saleId]),
    [{ sku: a, allocation: 13, sold: 5, given_back: 8 }, { sku: b, allocation: 5, sold: 1, given_back: 4 }])
  const text = await exported(t, saleId)
  const lines = text.trimEnd().split('\n').map((line) => JSON.parse(line.slice(65)) as Record<string, unknown>)
  t.strictSame(lines.map(({ kind }) => kind), ['certificate', 'loaded', 'loaded', 'sold', 'adjusted', 'adjusted', 'sold', 'refunded', 'refunded', 'total'])
  t.match(lines[4], { items: [{ sku: a, units: 5, allocation: 15, available: 12, held: 1, sold: 2 }] })
  t.match(lines.at(-1), {
    orders: 2, amount: 15_000, refunds: 2,
    items: [{ sku: a, loaded: 10, adjusted: 3, sold: 5, givenBack: 8 }, { sku: b, loaded: 5, adjusted: 0, sold: 1, givenBack: 4 }],
  })
  t.notMatch(text, paid.slice(-22), 'nobody learns an id from it')
  t.match(text, createHash('sha256').update(paid).digest('hex'), 'whoever has one can find its line')
  t.equal(await holds(text), 'holds')

  const before = await runOn(shop.databaseUrl, 'select * from certificates where sale_id = $1', [saleId])
  await shop.event({ orderId: paid, paymentId: newId('page'), amount: 7_500 })
  await shop.drain(saleId)
  await shop.sweep(saleId)
  t.strictSame(await runOn(shop.databaseUrl, 'select * from certificates where sale_id = $1', [saleId]), before)
  t.equal(await exported(t, saleId), text, 'money that comes and goes back later changes nothing')
})

void tap.test('a byte that is changed, a line that is dropped, doubled or moved is found, and where', async (t) => {
  const { saleId } = await soldSale()
  const text = await exported(t, saleId)
  const lines = text.split('\n').slice(0, -1)
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
  t.comment(`SEED=${seed}`)
  const bytes = Buffer.from(text)
  for (let i = 0; i < 500; i += 1) {
    const at = (seed + i * 7_919) % bytes.length
    const changed = Buffer.from(bytes)
    changed[at] = changed[at]! ^ (1 << (i % 7))
    const said = await holds(changed.toString())
    t.match(said, /^\d+: /, `byte ${at}`)
    const line = bytes.subarray(0, at).toString().split('\n').length
    if (changed[at] !== 10 && bytes[at] !== 10) t.equal(Number(said.split(':')[0]), line, `byte ${at} is in line ${line}`)
  }
  for (let i = 0; i < lines.length; i += 1) {
    t.match(await holds([...lines.slice(0, i), ...lines.slice(i + 1), ''].join('\n')), /^\d+: /, `without line ${i + 1}`)
    t.match(await holds([...lines.slice(0, i + 1), ...lines.slice(i), ''].join('\n')), /^\d+: /, `line ${i + 1} twice`)
  }
  t.match(await holds(text.slice(0, -1)), /^10: /, 'without its last line end')
  t.match(await holds(''), /^1: the text ends/)
})

void tap.test('a chain that was made anew over other numbers is found by the numbers', async (t) => {
  const { saleId, a } = await soldSale()
  const lines = (await exported(t, saleId)).trimEnd().split('\n').map((line) => line.slice(65))
  t.equal(await holds(chain(lines)), 'holds')
  const change = (at: number, from: string | RegExp, to: string) => {
    const changed = lines.with(at, lines[at]!.replace(from, to))
    t.notSame(changed, lines, to)
    return holds(chain(changed))
  }
  t.match(await change(1, '"units":10', '"units":11'), /^4: .*10 are allocated, and should be 11/)
  t.match(await change(3, '"units":2', '"units":1'), /^4: .*2 are sold, and should be 1/)
  t.match(await change(3, `"sku":"${a}","units":2,"allocation":10,"available":8`, `"sku":"${a}","units":2,"allocation":10,"available":9`), /^4: .*of 10 allocated, 9 are available/)
  t.match(await change(3, '"available":8,"held":0', '"available":9,"held":-1'), /^4: it is no line/)
  t.match(await change(9, '"orders":2', '"orders":3'), /^10: 3 orders are told, and there are 2/)
  t.match(await change(9, '"amount":15000', '"amount":15001'), /^10: 15001 is told/)
  t.match(await change(9, '"givenBack":8', '"givenBack":7'), /^10: .*7 are told to be given back, and 8 are/)
  t.match(await holds(chain(lines.toSpliced(6, 1))), /^(7|8|9): /)
  t.match(await holds(chain([...lines.slice(0, 4), lines[3]!, ...lines.slice(4)])), /^5: .*comes too late/)
  t.match(await holds(chain([...lines, lines[9]!])), /^11: nothing may follow/)
})

void tap.test('what was certified cannot be rewritten in Postgres unnoticed', async (t) => {
  const { saleId } = await soldSale()
  const change = (statement: string) => runOn(shop.databaseUrl, statement, [saleId])
  await t.rejects(change('delete from sale_ledger where sale_id = $1'), /facts/)
  await runOn(shop.databaseUrl, 'alter table sale_ledger disable trigger user')
  await change(`update sale_ledger set line = replace(line, '"units":3', '"units":4') where sale_id = $1`)
  await runOn(shop.databaseUrl, 'alter table sale_ledger enable trigger user')
  const file = join(folder, 'rewritten')
  const { code, lines } = await run(t, 'certificate', saleId, file)
  t.strictSame([code, lines.length], [1, 1])
  t.match(lines[0], /not the one that was certified/)
  await t.rejects(readFile(file), { code: 'ENOENT' }, 'and no file is left')
})

void tap.test('a sale whose counters and orders do not agree is not certified', async (t) => {
  const sku = newId('a')
  await shop.putItem(sku, 100)
  const saleId = await shop.publish({ items: { [sku]: 10 } })
  await shop.paid(saleId, { [sku]: 2 })
  await shop.drain(saleId)
  await shop.control(saleId, 'end')
  await shop.redis.hset(`fs:{${saleId}.0}:stock`, sku, '10 7 0 0 3 2500 0')
  await t.rejects(shop.sweep(saleId), new RegExp(`${sku} of ${saleId}`))
  t.strictSame(await runOn(shop.databaseUrl, 'select * from certificates where sale_id = $1', [saleId]), [])
})

void tap.test('the commands say in one line what they did, or why not', async (t) => {
  const { saleId } = await soldSale()
  const file = join(folder, 'good')
  const made = await run(t, 'certificate', saleId, file)
  t.match(made, { code: 0, lines: [/: 6 entries, hash [0-9a-f]{64}$/] })
  const hash = made.lines[0]!.slice(-64)
  t.match(await run(t, 'verify', file), { code: 0, lines: [new RegExp(`holds: sale ${saleId}, 6 entries, 2 orders sold, hash ${hash}$`)] })
  const open = await shop.publish()
  const damaged = join(folder, 'damaged')
  await writeFile(damaged, (await readFile(file, 'utf8')).replace('"loaded"', '"loadet"'))
  for (const [command, args, said] of [
    ['certificate', [saleId, file], / is there already\.$/],
    ['certificate', [open, join(folder, 'open')], /no certificate/],
    ['certificate', ['nobody', join(folder, 'nobody')], /no certificate/],
    ['certificate', [], /Which sale/],
    ['certificate', ['{x}'], /no such sale/],
    ['verify', [], /Which file/],
    ['verify', [join(folder, 'none')], /^There is no file /],
    ['verify', [folder], /EISDIR/],
    ['verify', [damaged], /damaged, line 2: its hash is not/],
  ] as const) {
    const { code, lines } = await run(t, command, ...args)
    t.strictSame([code, lines.length], [1, 1], `${command} ${args.join(' ')}: ${lines.join('\n')}`)
    t.match(lines[0], said)
  }
  t.match(await run(t, 'verify', file), { code: 0 }, 'a file that is there is not touched')
})
