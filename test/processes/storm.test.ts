/** A storm is the rehearsal of a sale: it buys like a crowd, and says what came of it. */
import tap, { type Test } from 'tap'
import { runOn } from '../postgres.js'
import { adminToken, startProcess } from '../races/processes.js'
import { call, openShop, publish, ware } from '../races/shop.js'

const shop = await openShop(tap, { apis: 1, workers: 1 })
const [api] = shop.apis

async function storm(t: Test, args: readonly string[], settings: NodeJS.ProcessEnv = {}): Promise<{ code: number | null; lines: readonly string[] }> {
  const running = startProcess(t, 'src/cli/storm.js', shop.stores, settings, args)
  const { code } = await running.ended
  return { code, lines: running.lines }
}

tap.test('a storm sells what there is and no more, says so step by step, and has it audited', async (t) => {
  const wares = [ware('console', 10, { maxPerCart: 1 }), ware('mug', 60), ware('vase', 5_000)]
  const { saleId } = await publish(api, wares)
  const { code, lines } = await storm(t, ['--url', api, '--buyers', '600', '--seconds', '2', '--connections', '32', '--seed', '7'], { ADMIN_TOKEN: adminToken })
  t.equal(code, 0, lines.join('\n'))
  const said = lines.join('\n')
  for (const step of ['item', 'cart', 'checkout', 'payment']) t.match(said, new RegExp(`^${step} +\\d+ +[\\d.]+ +[\\d.]+ +[\\d.]+  .*20[01] \\d+`, 'm'))
  t.match(said, /insufficient_stock \d+/)
  t.match(said, /^ +\d+ s {2}600 of 600 buyers are through/m)
  const sold = /The audit holds: (\d+) units sold, 0 of them not in Postgres yet\./.exec(said)?.[1]
  const [row] = await runOn<{ units: number }>(shop.stores.databaseUrl, 'select sum(sold)::int as units from sale_items where sale_id = $1', [saleId])
  t.equal(Number(sold), row!.units, 'what it says is what Postgres has')
  t.ok(row!.units > 70, 'and people have bought')
  t.match(await call('GET', `${api}/v1/sales/${saleId}/items/console`), { value: { stock: { available: 0 } } }, 'what everybody wants is gone')
})

tap.test('a storm that cannot be played says why in one line', async (t) => {
  for (const [args, line] of [
    [['--url', 'http://127.0.0.1:9'], /^No engine answers at http:\/\/127\.0\.0\.1:9\.$/],
    [['--url', api, '--sale', 'nobody'], /^The sale nobody cannot be had/],
    [['--url', 'shop'], /^--url takes/],
    [['--buyers', '0'], /^--buyers takes/],
    [['--crowd', '3'], /--crowd/],
  ] as const) {
    const { code, lines } = await storm(t, args)
    t.equal(code, 1)
    t.equal(lines.length, 1, lines.join('\n'))
    t.match(lines[0], line)
  }
})
