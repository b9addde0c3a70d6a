/**
 * A whole flash sale: hundreds of buyers want the same few units at once, over two API processes and two workers. Then
 * every unit is counted.
 */
import tap, { type Test } from 'tap'
import type { Sale } from '../../src/contract.js'
import { moveTime } from '../redis.js'
import { assertAccounts, drained, keysUsed, localIds } from './accounts.js'
import { type Buyer, buyer } from './buyer.js'
import { call, good, openShop, publish, type Ware, ware } from './shop.js'
import { listen, localOf, showsWhole } from './told.js'

/** Set SEED to run what a failed run had: each buyer throws the same dice then. */
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const buyers = 400

const wares: readonly Ware[] = [
  ware('lamp', 5, { quantity: 12 }),
  ware('stool', 8, { price: 4_900, maxPerCart: 2 }),
  ware('mug', 15, { price: 700 }),
  ware('rug', 20, { price: 12_000, maxPerCart: 1, quantity: 21 }),
  ware('vase', 30, { price: 2_550 }),
  ware('clock', 40, { price: 3_333, maxPerCart: 3 }),
]

async function sell(t: Test, holdAt: 'cart' | 'checkout'): Promise<void> {
  t.comment(`SEED=${seed}`)
  const shop = await openShop(t, { apis: 2, workers: 2 })
  const { redis, apis } = shop
  const { saleId } = await publish(apis[0], wares, { holdAt })
  const told = listen(wares, holdAt)
  const crowd = Array.from({ length: buyers }, (_, i): Buyer => buyer(`b${i}`, seed + i * 7_919, { apis, saleId, wares, told }))
  const everybody = (act: (one: Buyer) => Promise<void>) => Promise.all(crowd.map(act))
  const showing = async () => good(await call<Sale>('GET', `${apis[0]}/v1/sales/${saleId}`)).items!

  await everybody((one) => one.visit(false))
  await everybody((one) => one.visit(false))
  const known = new Set(told.ids)
  t.strictSame((await localIds(redis, saleId)).filter((id) => !known.has(id)), [], 'nobody holds a cart or an order that they were not told of')

  // Everything lapses that was left lying, in the middle of what comes next.
  const lapse = moveTime(redis, saleId, 3_600_000)
  await everybody((one) => one.hearLate())
  await lapse
  t.ok((await showing()).every((item) => showsWhole(item, holdAt)), 'what the sale shows adds up')
  // Whatever is left is bought, to the last unit.
  for (let round = 0; round < 3; round += 1) await everybody((one) => one.visit(true))

  await moveTime(redis, saleId, 3_600_000)
  await drained(redis, saleId)
  const sold = await assertAccounts(t, shop, { saleId, wares, paid: told.paid, taken: told.taken })

  t.strictSame(told.wrong, [], 'nobody was told what cannot be true')
  const made = await keysUsed(redis, saleId)
  const heard = new Map([...told.carts].map(([key, carts]) => [key, [...carts].map(localOf).join(' and ')]))
  t.strictSame(new Map([...made].toSorted()), new Map([...heard].toSorted()), 'each key made the one cart that it was answered with')
  t.equal(sold, wares.reduce((sum, { allocation }) => sum + allocation, 0), 'every unit found its buyer')
  t.strictSame([...told.soldOut].toSorted(), wares.map(({ sku }) => sku).toSorted(), 'and then everything was sold out')
  t.comment(JSON.stringify(Object.fromEntries([...told.counts].toSorted())))
}

tap.test('hundreds want the same few units: every unit is sold once, where carts hold', (t) => sell(t, 'cart'))
tap.test('hundreds want the same few units: every unit is sold once, where checkout holds', (t) => sell(t, 'checkout'))
