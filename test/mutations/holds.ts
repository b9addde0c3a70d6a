/** Mutations of what a customer does until an order is there: hold, lapse, check out, come again. */
import type { Mutation } from './mutation.js'

const shard = 'lua/shard.lua'
const orders = 'lua/orders.lua'
const hold = 'lua/hold.lua'
const checkout = 'lua/checkout.lua'

const oversold = '1. Never oversold'
const twice = '3. Nothing happens twice'
const honest = '5. An honest no'

export const holds: readonly Mutation[] = [
  {
    name: 'availability',
    broken: 'A hold does not look at what is available',
    promise: oversold,
    edits: [{ file: shard, find: 'if it.available < quantity then', replace: 'if false then' }],
    tests: ['test/scripts/hold.test.ts'],
  },
  {
    name: 'guard',
    broken: 'Counters that do not add up are written all the same',
    promise: oversold,
    edits: [{ file: shard, find: 'or it.available + held(it) + it.sold ~= it.allocation then', replace: 'then' }],
    tests: ['test/scripts/loader.test.ts'],
  },
  {
    name: 'oversell',
    broken: 'A hold takes units that are not there, and nothing stops it: no check, no guard',
    promise: oversold,
    edits: [
      { file: shard, find: 'if it.available < quantity then', replace: 'if false then' },
      { file: shard, find: 'if holdsAtCart then it.available = it.available - n end', replace: 'if holdsAtCart then it.available = math.max(0, it.available - n) end' },
      { file: shard, find: 'or it.available + held(it) + it.sold ~= it.allocation then', replace: 'then' },
    ],
    tests: ['test/scripts/hold.test.ts'],
  },
  {
    name: 'taken-twice',
    broken: 'A hold takes each unit twice',
    promise: oversold,
    edits: [{ file: shard, find: 'if holdsAtCart then it.available = it.available - n end', replace: 'if holdsAtCart then it.available = it.available - 2 * n end' }],
    tests: ['test/scripts/hold.test.ts'],
  },
  {
    name: 'made-at-once',
    broken: 'Carts that are alike are made without a look at what is left for each',
    promise: oversold,
    edits: [{ file: hold, find: 'for i = 1, n do most = math.min(most, math.ceil(lineItems[i].available / lineQuantities[i]) - 1) end', replace: '' }],
    tests: ['test/scripts/hold.test.ts'],
  },
  {
    name: 'own-numbers',
    broken: 'Of carts that were made at once each is told the stock that the first one saw',
    promise: 'Every answer says what is left beside what others hold',
    edits: [{ file: 'src/engine/hold-call.ts', find: 'Number(words[i + 1]) * this.before', replace: 'Number(words[i + 1]) * 0 * this.before' }],
    tests: ['test/scripts/hold.test.ts'],
  },
  {
    name: 'shared-text',
    broken: 'The text that carts of a batch share has the numbers of the first one',
    promise: 'Every answer says what is left beside what others hold',
    edits: [{ file: 'src/routes/share.ts', find: 'const taken = quantity * before', replace: 'const taken = quantity * Math.min(0, before)' }],
    tests: ['test/contract/urgency.test.ts'],
  },
  {
    name: 'overtaken',
    broken: 'Whoever wants an item is decided before others who asked for it earlier',
    promise: 'Those of a batch are decided in order',
    edits: [{ file: 'src/engine/hold-call.ts', find: 'if (sku === undefined) lastOf.clear()\n        else lastOf.set(sku, last)', replace: 'if (sku !== undefined) lastOf.set(sku, last)' }],
    tests: ['test/scripts/hold.test.ts'],
  },
  {
    name: 'limit',
    broken: 'A new cart may have more of an item than `maxPerCart`',
    promise: 'No cart gets more of an item than one may have',
    edits: [{ file: hold, find: 'refusal = overLimit(n) or insufficient(n)', replace: 'refusal = insufficient(n)' }],
    tests: ['test/scripts/hold.test.ts'],
  },
  {
    name: 'limit-of-line',
    broken: 'A line may grow past `maxPerCart`',
    promise: 'No cart gets more of an item than one may have',
    edits: [{ file: 'lua/lines.lua', find: 'if it.limit > 0 and quantity > it.limit then', replace: 'if false then' }],
    tests: ['test/scripts/cart-lines.test.ts'],
  },
  {
    name: 'reclaim',
    broken: 'What has lapsed is not given back',
    promise: 'What lapses is available to the very next request',
    edits: [
      { file: orders, find: 'local more = reclaim()', replace: 'local more = false' },
      { file: hold, find: 'if reclaim() then', replace: 'if false then' },
    ],
    tests: ['test/scripts/lapse.test.ts'],
  },
  {
    name: 'false-no',
    broken: 'A request is decided although more has lapsed than one call gives back',
    promise: honest,
    edits: [{ file: orders, find: 'local more = #lapsed > RECLAIM_BOUND\n  if more then', replace: 'local more = false\n  if #lapsed > RECLAIM_BOUND then' }],
    tests: ['test/scripts/lapse.test.ts'],
  },
  {
    name: 'alike',
    broken: 'Of the carts that are alike only one gives its units back',
    promise: 'What lapses is available to the very next request',
    edits: [{ file: orders, find: '-lineQuantities[line] * times)', replace: '-lineQuantities[line])' }],
    tests: ['test/scripts/lapse.test.ts'],
  },
  {
    name: 'lapsed-once',
    broken: 'What has lapsed is given back, and its deadline stays',
    promise: 'Every unit is where the counters say',
    edits: [{ file: orders, find: "if wrote then call('ZREMRANGEBYRANK', DEADLINES, 0, reclaimed - 1) end", replace: '' }],
    tests: ['test/scripts/lapse.test.ts'],
  },
  {
    name: 'clock',
    broken: 'The time that was seen last is not kept, so a clock that is set back takes a sale with it',
    promise: 'A hold that has lapsed does not live again',
    edits: [{ file: orders, find: "if wrote then call('HSET', POLICY, 'clock', format('%d', now)) end", replace: '' }],
    tests: ['test/scripts/lapse.test.ts'],
  },
  {
    name: 'idempotency-record',
    broken: 'An idempotency key is not written down',
    promise: twice,
    edits: [{ file: hold, find: "remember('c:' .. key, format('%s %s %d', fingerprint, id, now + KEY_RETENTION_MS), now + KEY_RETENTION_MS)", replace: '' }],
    tests: ['test/scripts/keys.test.ts'],
  },
  {
    name: 'fingerprint',
    broken: 'A key that comes with another request is answered as if it were the same',
    promise: 'A key stands for one request',
    edits: [{ file: hold, find: 'if seen == fingerprint then', replace: 'if seen then' }],
    tests: ['test/scripts/keys.test.ts'],
  },
  {
    name: 'misrouted',
    broken: 'The replies to a batch are handed out in the wrong order',
    promise: 'Whoever was told “yours” gets it',
    edits: [{ file: 'src/engine/batch.ts', find: 'const reply: unknown = replies[i + 1]', replace: 'const reply: unknown = replies[batch.length - i]' }],
    tests: ['test/scripts/batch.test.ts'],
  },
  {
    name: 'queue-bound',
    broken: 'Requests wait without a bound',
    promise: '5. An honest no, fast',
    edits: [{ file: 'src/engine/batch.ts', find: 'if (waiting.length >= queueBound) return', replace: 'if (waiting.length > 2 * queueBound) return' }],
    tests: ['test/scripts/batch.test.ts'],
  },
  {
    name: 'checkout-moves',
    broken: 'A checkout leaves the units where they were',
    promise: oversold,
    edits: [{ file: checkout, find: '    moveToOrders(it, quantity)\n', replace: '' }],
    tests: ['test/scripts/checkout.test.ts'],
  },
  {
    name: 'checkout-keeps-cart',
    broken: 'A cart that was checked out is still a cart',
    promise: twice,
    edits: [{ file: checkout, find: '  dropCart(id)\n', replace: '' }],
    tests: ['test/scripts/checkout.test.ts'],
  },
  {
    name: 'frozen-price',
    broken: 'An order shows what its items cost now, and not what they cost at checkout',
    promise: 'Prices are frozen with the order',
    edits: [{ file: orders, find: 'stockWords(it, quantity, quantity * own, price)', replace: 'stockWords(it, quantity, quantity * own)' }],
    tests: ['test/scripts/checkout.test.ts'],
  },
  {
    name: 'cart-epoch',
    broken: 'A cart of before Redis lost its data is still good',
    promise: 'After a recovery no older id holds anything',
    edits: [{ file: orders, find: 'if idEpoch ~= epoch then return', replace: 'if false then return' }],
    tests: ['test/scripts/cart-lines.test.ts'],
  },
]
