/** Mutations of what becomes of money: an order is paid once, and whatever finds no goods goes back. */
import type { Mutation } from './mutation.js'

const settle = 'lua/settle.lua'
const begin = 'lua/begin.lua'

const lost = '2. Nothing acknowledged is lost'
const twice = '3. Nothing happens twice'
const kept = 'Money is never kept without goods'

export const payments: readonly Mutation[] = [
  {
    name: 'two-attempts',
    broken: 'A payment may begin while another one is in progress',
    promise: twice,
    edits: [
      { file: begin, find: "if o.state == 'payment_pending' then return 'PAYMENT_IN_PROGRESS' end", replace: '' },
      { file: begin, find: "if o.state ~= 'awaiting_payment' then", replace: "if o.state ~= 'awaiting_payment' and o.state ~= 'payment_pending' then" },
    ],
    tests: ['test/scripts/begin.test.ts'],
  },
  {
    name: 'order-epoch',
    broken: 'An order of before Redis lost its data can still be paid',
    promise: 'After a recovery no older id holds anything',
    edits: [{ file: 'lua/orders.lua', find: 'return idEpoch == epoch and order(id)', replace: 'return order(id)' }],
    tests: ['test/scripts/settle.test.ts'],
  },
  {
    name: 'outbox',
    broken: 'A paid order is not put down for Postgres',
    promise: lost,
    edits: [{ file: settle, find: "appendOutbox('paid'", replace: "type('paid'" }],
    tests: ['test/scripts/settle.test.ts'],
  },
  {
    name: 'cart-of-paid',
    broken: 'A cart is still there after its order was paid',
    promise: 'Who has paid has an order, and no cart any more',
    edits: [{
      file: 'lua/orders.lua',
      find: "if not o or o.state == 'paid' then return 'CART_NOT_FOUND' end\n  if isLive(o) then",
      replace: "if not o then return 'CART_NOT_FOUND' end\n  if isLive(o) or o.state == 'paid' then",
    }],
    tests: ['test/scripts/cart-lines.test.ts'],
  },
  {
    name: 'late-failure',
    broken: 'A failure that comes late makes a paid order payable again',
    promise: 'A state only moves forward',
    edits: [
      { file: settle, find: "local mine = payment == o.paymentId and o.paymentStatus == 'pending'", replace: 'local mine = payment == o.paymentId' },
      { file: settle, find: "if o.state == 'payment_pending' then", replace: "if o.state == 'payment_pending' or o.state == 'paid' then" },
    ],
    tests: ['test/scripts/settle.test.ts'],
  },
  {
    name: 'second-success',
    broken: 'A second success on a paid order is kept',
    promise: kept,
    edits: [{ file: settle, find: "refundPayment(o, payment, amount, money, 'duplicate', orderId, false)", replace: '' }],
    tests: ['test/scripts/late.test.ts'],
  },
  {
    name: 'refunded-twice',
    broken: 'A payment that was refunded is forgotten, and refunded again when it is told again',
    promise: twice,
    edits: [{ file: settle, find: "  end\n  remember('p:' .. payment, '1', now + PAYMENT_RETENTION_MS)\nend", replace: '  end\nend' }],
    tests: ['test/scripts/late.test.ts'],
  },
  {
    name: 'refund',
    broken: 'A refund that is due is not put down for anybody',
    promise: kept,
    edits: [{ file: settle, find: "appendOutbox('refund'", replace: "type('refund'" }],
    tests: ['test/scripts/late.test.ts'],
  },
  {
    name: 'late-money',
    broken: 'Money that comes late takes units that others hold',
    promise: '1. Never oversold',
    edits: [{ file: settle, find: 'if it.available < quantity then return false end', replace: '' }],
    tests: ['test/scripts/late.test.ts'],
  },
  {
    name: 'amount',
    broken: 'An order is paid with another amount than its own',
    promise: 'Goods are not given for other money',
    edits: [{ file: settle, find: 'elseif amount ~= o.total or money ~= currency then', replace: 'elseif money ~= currency then' }],
    tests: ['test/scripts/late.test.ts'],
  },
  {
    name: 'signature',
    broken: 'Whoever sends a payment event is believed',
    promise: 'Only the provider says that money came',
    edits: [{ file: 'src/payments/webhook.ts', find: 'if (timingSafeEqual(expected, signature)) matches = true', replace: 'matches = timingSafeEqual(expected, signature) || true' }],
    tests: ['test/webhook.test.ts'],
  },
]
