/** `npm run migrate`, as it is run: before the first start, again after every update, and beside another one. */
import { readdirSync } from 'node:fs'
import tap, { type Test } from 'tap'
import { emptyDatabase, freshDatabase, runOn } from '../postgres.js'
import { forward, portOf, through } from '../races/forwarder.js'
import { type Running, startProcess } from '../races/processes.js'

const migrations = readdirSync(new URL('../../migrations/', import.meta.url)).map((file) => file.replace(/\.sql$/, '')).toSorted()

/** Nothing serves at this Redis: to bring Postgres up to date, none is needed. */
const start = (t: Test, databaseUrl: string): Running => startProcess(t, 'src/cli/migrate.js', { redisUrl: 'redis://127.0.0.1:1', databaseUrl })

/** @returns every column of every table, and the migrations that have made them, once for each time that one ran */
async function madeIn(databaseUrl: string): Promise<{ columns: object[]; ran: string[] }> {
  const columns = await runOn(databaseUrl, `
    select table_name, column_name, data_type from information_schema.columns where table_schema = 'public' order by 1, 2`)
  const ran = await runOn<{ name: string }>(databaseUrl, 'select name from migrations order by id')
  return { columns, ran: ran.map(({ name }) => name) }
}

tap.test('an empty database is brought up to date, with the name of each step; run again, it has nothing to do', async (t) => {
  const url = await emptyDatabase(t)
  const first = start(t, url)
  t.strictSame(await first.ended, { code: 0, signal: null })
  t.strictSame(first.lines, [`The database is brought up to date: ${migrations.join(', ')}.`])
  const made = await madeIn(url)
  t.strictSame(made.ran, migrations)
  t.strictSame(made, await madeIn(await freshDatabase(t)))

  const second = start(t, url)
  t.strictSame(await second.ended, { code: 0, signal: null })
  t.strictSame(second.lines, ['The database is up to date.'])
  t.strictSame(await madeIn(url), made)
})

tap.test('of two at once on an empty database one does the work, and both end well', async (t) => {
  const url = await emptyDatabase(t)
  const both = [start(t, url), start(t, url)]
  for (const { ended } of both) t.strictSame(await ended, { code: 0, signal: null })
  t.strictSame(both.flatMap(({ lines }) => lines).toSorted(), [`The database is brought up to date: ${migrations.join(', ')}.`, 'The database is up to date.'])
  t.strictSame((await madeIn(url)).ran, migrations, 'each step once')
})

tap.test('a Postgres that is away is waited for, and said so once', async (t) => {
  const url = await emptyDatabase(t)
  const line = await forward(t, portOf(url, 5432))
  line.cut()
  const waiting = start(t, through(url, line))
  await waiting.said(/^Waiting for Postgres \(.+\)\.$/)
  line.mend()
  t.strictSame(await waiting.ended, { code: 0, signal: null })
  t.equal(waiting.lines.length, 2, waiting.lines.join('\n'))
  t.strictSame((await madeIn(url)).ran, migrations)
})

tap.test('what waiting does not heal ends it with one line that says why, and shows no password', async (t) => {
  const url = new URL(await emptyDatabase(t))
  const [unknown, wrong] = [new URL(url), new URL(url)]
  unknown.pathname = '/no_such_shop'
  wrong.password = 'hunter2'
  for (const [broken, why] of [[unknown, /"no_such_shop" does not exist/], [wrong, /password authentication failed/]] as const) {
    const refused = start(t, broken.href)
    t.strictSame(await refused.ended, { code: 1, signal: null })
    t.equal(refused.lines.length, 1, refused.lines.join('\n'))
    t.match(refused.lines[0], why)
    t.notOk(refused.lines[0]!.includes(broken.password), 'the password is nobody’s business')
  }
})
