/** Addresses that are off: an id opens what it names and nothing else, and whatever a client chooses stays in its place. */
import tap from 'tap'
import { formatId, newLocalId } from '../../src/ids.js'
import { written } from './calls.js'
import { type Code, invalid, refused } from './refused.js'
import { customer, newId, openShop, type Reply } from './shop.js'

const shop = await openShop(tap)
type Ask = (id: string) => Promise<Reply<unknown>>

const cartAsks: readonly Ask[] = [
  (id) => shop.look(id), (id) => shop.set(id, 'A', 2), (id) => shop.set(id, 'A', 0), (id) => shop.call('DELETE', `/v1/carts/${id}/items/A`),
  (id) => shop.call('DELETE', `/v1/carts/${id}`), (id) => shop.checkout(id),
]
const orderAsks: readonly Ask[] = [(id) => shop.call('GET', `/v1/orders/${id}`), (id) => shop.pay(id), (id) => shop.cancel(id)]
const lineAsks = (cartId: string): readonly Ask[] => [(sku) => shop.set(cartId, sku, 1), (sku) => shop.call('DELETE', `/v1/carts/${cartId}/items/${sku}`)]
const saleAsks: readonly Ask[] = [
  (id) => shop.call('GET', `/v1/sales/${id}`), (id) => shop.call('GET', `/v1/sales/${id}/items/A`), (id) => shop.take(id, { A: 1 }),
  (id) => shop.operator('POST', `/sales/${id}/pause`), (id) => shop.operator('POST', `/sales/${id}/resume`), (id) => shop.operator('POST', `/sales/${id}/end`),
]
const itemAsks = (saleId: string): readonly Ask[] => [
  (sku) => shop.call('GET', `/v1/sales/${saleId}/items/${sku}`), (sku) => shop.operator('GET', `/items/${sku}`),
  (sku) => shop.operator('PUT', `/items/${sku}`, { name: 'Lamp', price: { amount: 1, currency: 'USD' } }),
  (sku) => shop.operator('POST', `/items/${sku}/adjustments`, { delta: 1, reason: 'found' }),
]

/** @returns what one character, sign or number makes of an id that is right */
function mistaken(id: string): string[] {
  const [kind, saleId, shard, epoch, local] = id.split('.') as [string, string, string, string, string]
  const made = (...parts: string[]) => parts.join('.')
  return [
    // Of another sale, shard or epoch.
    made(kind, 'nobody', shard, epoch, local), made(kind, `${saleId}x`, shard, epoch, local), made(kind, '', shard, epoch, local),
    ...['1', '00', '-0', '0x0', '', '0 ', '9007199254740993'].map((other) => made(kind, saleId, other, epoch, local)),
    ...['0', '2', '01', '1e0', '1.0', '-1', '+1', '', '999999', '1000000', '4294967297', 'NaN'].map((other) => made(kind, saleId, shard, other, local)),
    // Of another kind, or of none.
    ...['C', 'p', '', 'cc', kind === 'c' ? 'o' : 'c'].map((other) => made(other, saleId, shard, epoch, local)),
    // With another end.
    local, id.slice(0, -1), `${id}A`, `${id}.`, `.${id}`, `${id}=`, `${id} `, ` ${id}`, id.toUpperCase(), made(kind, saleId, shard, epoch, newLocalId()),
    ...['*', '?', '%', '..', '\u0000', '\r\n', '\n', '\t', '/', '\\', '{}', `}${local}`, 'ä', '🜁', "'", '"', '<', '\u2028'].flatMap((sign) => [`${id}${sign}`, `${id.slice(0, -1)}${sign}`, sign]),
    // With a hash tag of its own.
    `{${id}}`, made(kind, `{${saleId}}`, shard, epoch, local), `fs:{${saleId}.0}:carts`, `c.{${saleId}.0}:carts`,
    // With words of a script's own.
    `${local} A 9`, made(kind, saleId, shard, `${epoch} ${local}`, local), '__proto__', 'constructor', 'null', 'undefined',
    'x'.repeat(81), 'x'.repeat(10_000),
  ].filter((other) => other !== '' && other !== '..' && other !== id)
}

for (const [what, code, asks, make] of [
  ['a cart', 'cart_not_found', cartAsks, async (saleId: string) => (await shop.cart(saleId, { A: 1 })).cartId],
  ['an order', 'order_not_found', orderAsks, async (saleId: string) => (await shop.order(saleId)).orderId],
] as const satisfies [string, Code, readonly Ask[], (saleId: string) => Promise<string>][]) {
  void tap.test(`${what} is opened by its own id alone: any other is not found, and nothing is written`, async (t) => {
    const saleId = await shop.publish()
    const other = await shop.publish()
    const id = await make(saleId)
    const theirs = await make(other)
    const before = await written(shop)
    const swapped = formatId(id.startsWith('c') ? 'c' : 'o', { saleId, shard: 0 }, 1, theirs.slice(-22))
    for (const mistake of [swapped, ...mistaken(id)]) {
      for (const ask of asks) {
        const reply = await ask(encodeURIComponent(mistake))
        t.equal(reply.status, 404, encodeURIComponent(mistake.slice(0, 90)))
        refused(t, reply, code)
      }
    }
    t.strictSame(await written(shop), before)
    t.equal((await asks[0]!(id)).status, 200)
  })
}

void tap.test('an address that does not decode, or has a slash too many, is nowhere', async (t) => {
  const saleId = await shop.publish()
  const { cartId } = await shop.cart(saleId, { A: 1 })
  const { orderId } = await shop.order(saleId)
  const before = await written(shop)
  const places = (id: string, asks: readonly Ask[]) => asks.map((ask) => [id, ask] as const)
  const everywhere = [...places(cartId, cartAsks), ...places(orderId, orderAsks), ...places('A', lineAsks(cartId)), ...places(saleId, saleAsks), ...places('A', itemAsks(saleId))]
  for (const [id, ask] of everywhere) {
    for (const off of ['%zz', '%', '%e', '%c3', '%ff', '%ed%a0%80', `${id}%zz`, `${id}%`, `%zz${id}`, `a/${id}`, `${id}//`, `/${id}`]) {
      const reply = await ask(off)
      t.equal(reply.status, 404, off)
      refused(t, reply, 'route_not_found')
    }
  }
  t.strictSame(await written(shop), before)
})

void tap.test('a sale or an item whose name cannot be one is refused, and nothing is written', async (t) => {
  const saleId = await shop.publish()
  const { cartId } = await shop.cart(saleId, { A: 1 })
  const before = await written(shop)
  const off = ['a b', ' a', 'a ', 'a.b', '{a}', '{', '}', 'a}', 'a:b', 'a/b', 'a\\b', 'ä', '🜁', 'a\u0000', '\u0000', 'a\r\n', 'a\n', '*', '[a]', 'a?', 'a*', "'", '"', '$', '%', '%41', 'a=1', 'a,b', `${saleId} A`, 's'.repeat(33), 's'.repeat(10_000)]
  for (const name of off) {
    const named = encodeURIComponent(name)
    for (const ask of saleAsks) invalid(t, await ask(named), 'params/saleId')
    for (const ask of [...lineAsks(cartId), ...itemAsks(saleId)]) invalid(t, await ask(named), 'params/sku')
    for (const body of [{ items: [{ sku: name, quantity: 1 }] }, { items: [{ sku: 'A', quantity: 1 }, { sku: name, quantity: 1 }] }]) {
      invalid(t, await shop.call('POST', `/v1/sales/${saleId}/carts`, { body }), `/items/${body.items.length - 1}/sku`)
    }
    invalid(t, await shop.operator('POST', '/items/A/adjustments', { delta: 1, reason: 'found', saleId: name }), '/saleId')
    invalid(t, await shop.askToPublish({ saleId: name, name: 'Friday', items: [{ sku: 'A', allocation: 1 }] }), '/saleId')
    invalid(t, await shop.askToPublish({ saleId: newId('sale'), name: 'Friday', items: [{ sku: name, allocation: 1 }] }), '/items/0/sku')
  }
  t.strictSame(await written(shop), before)
})

void tap.test('names that mean something to a language mean nothing here', async (t) => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'nan', 'inf', '-1', '0', '1e3', '-', '_']
  const saleId = await shop.publish({ items: { A: 10 } })
  const { cartId } = await shop.cart(saleId, { A: 1 })
  const before = await written(shop)
  for (const name of names) {
    refused(t, await shop.call('GET', `/v1/sales/${name}`), 'sale_not_found')
    refused(t, await shop.take(name, { A: 1 }), 'sale_not_found')
    refused(t, await shop.call('GET', `/v1/sales/${saleId}/items/${name}`), 'item_not_found')
    refused(t, await shop.set(cartId, name, 1), 'item_not_found')
    refused(t, await shop.call('POST', `/v1/sales/${saleId}/carts`, { body: { items: [{ sku: name, quantity: 1 }] } }), 'item_not_found')
  }
  t.strictSame(await written(shop), before)
  for (const name of names) {
    const mine = await shop.publish({ saleId: `of-${name}`, items: Object.fromEntries([['A', 2], [name, 3]]) })
    t.strictSame((await shop.sale(mine)).items?.map(({ sku, stock }) => [sku, stock.available]).toSorted(), [['A', 2], [name, 3]].toSorted())
    const body = { items: [{ sku: name, quantity: 2 }, { sku: 'A', quantity: 1 }] }
    t.match(await shop.call('POST', `/v1/sales/${mine}/carts`, { body }), { status: 201, body: { items: [{ sku: name, quantity: 2 }, { sku: 'A', quantity: 1 }] } })
    t.equal((await shop.item(mine, name)).stock.available, 1)
  }
})

void tap.test('whatever anybody chooses, no key in Redis has a hash tag beside that of its sale', async (t) => {
  const saleId = await shop.publish({ saleId: '-_aZ9', items: { A: 50 } })
  const braces = '{nobody.0}:stock'
  const strangers = [{ orderId: braces, paymentId: braces }, { orderId: 'o.{x}.0.1.y', paymentId: '}{' }, { orderId: (await shop.order(saleId)).orderId, paymentId: `pay/{${saleId}.0}` }]
  for (const event of strangers) t.equal((await shop.event(event)).status, 200)
  const cancelled = await shop.order(saleId)
  await shop.cancel(cancelled.orderId)
  t.equal((await shop.event({ orderId: cancelled.orderId, paymentId: 'late{1}' })).status, 200)
  for (const token of ['tok_ok', 'tok_pending', 'tok_{x}', 'tok_unreachable']) await shop.pay((await shop.order(saleId)).orderId, token)
  await shop.checkout((await shop.cart(saleId, { A: 1 })).cartId, { ...customer, name: braces, email: '{a}@{b}' })
  await shop.take(saleId, { A: 1 }, '__proto__')
  await shop.drain(saleId)
  await shop.drain()
  await shop.later(saleId, 5)
  await shop.askProvider(saleId)
  const keys = await shop.redis.keys('*')
  t.ok(keys.length > 15)
  t.strictSame(keys.filter((key) => /[{}]/.test(key.replace(/^fs:\{[A-Za-z0-9_-]{0,32}\.0\}:(?=[a-z]+$)/, ''))), [])
})
