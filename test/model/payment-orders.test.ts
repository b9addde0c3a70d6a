/** For every payment that the provider took there is one order or one refund, in whatever order things happened. */
import { randomInt } from 'node:crypto'
import tap from 'tap'
import { runPaymentOrders } from './payment-orders.js'

/** Of some groups of sequences; `ORDERS=all` runs every one of every group, and takes many minutes. */
const ofEach = process.env['ORDERS'] === 'all' ? 'all' : Number(process.env['ORDERS'] ?? 20)
const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))

tap.test('whatever happens in whatever order, each payment is one order’s or goes back, and a state only moves forward', async (t) => {
  t.comment(`SEED=${seed}`)
  await runPaymentOrders(t, ofEach, seed)
})
