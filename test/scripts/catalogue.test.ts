/** What an API process knows of a sale: read once, however many come at once. */
import tap from 'tap'
import { createCatalogues } from '../../src/engine/catalogue.js'
import { shardKey } from '../../src/keys.js'
import { freshEngine, publishSale } from '../redis.js'

const { redis, engine } = await freshEngine(tap)
const crowd = 200

/** Catalogues over a real Redis, and how often it was asked. */
function setUp() {
  const asked: string[] = []
  const catalogues = createCatalogues((saleId) => {
    asked.push(saleId)
    return redis.hget(shardKey({ saleId, shard: 0 }, 'policy'), 'catalogue')
  })
  return { asked, loadAll: (saleId: string) => Promise.all(Array.from({ length: crowd }, () => catalogues.load(saleId))), catalogues }
}

tap.test('a crowd that is the first to come to a sale has its catalogue read once, and each of them gets it', async (t) => {
  const { asked, loadAll, catalogues } = setUp()
  const [first, second] = [await publishSale(engine), await publishSale(engine, { items: { B: 1 } })]
  const [firsts, seconds] = await Promise.all([loadAll(first.saleId), loadAll(second.saleId)])
  t.strictSame(asked.toSorted(), [first.saleId, second.saleId].toSorted())
  t.ok(firsts.every((catalogue) => catalogue?.saleId === first.saleId && catalogue.items.has('A')))
  t.ok(seconds.every((catalogue) => catalogue?.saleId === second.saleId && catalogue.items.has('B')))
  t.equal(catalogues.known(first.saleId), firsts[0])
})

tap.test('that a sale was not there, or that Redis was away, is not remembered', async (t) => {
  const { asked, loadAll } = setUp()
  t.ok((await loadAll('not-yet')).every((catalogue) => catalogue === null))
  await publishSale(engine, { saleId: 'not-yet' })
  t.ok((await loadAll('not-yet')).every((catalogue) => catalogue?.saleId === 'not-yet'))
  t.equal(asked.length, 2)

  let away = true
  const cut = createCatalogues(async (saleId) => {
    if (away) throw new Error('away')
    return redis.hget(shardKey({ saleId, shard: 0 }, 'policy'), 'catalogue')
  })
  const told = await Promise.allSettled([cut.load('not-yet'), cut.load('not-yet')])
  for (const one of told) t.match(one, { status: 'rejected', reason: { message: 'away' } })
  away = false
  t.match(await cut.load('not-yet'), { saleId: 'not-yet' })
})
