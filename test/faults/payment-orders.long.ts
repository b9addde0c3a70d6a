/** Every order of what can happen to an order and its payments, each in every world: none may be left out. */
import tap from 'tap'
import { allSequences, runPaymentOrders } from '../model/payment-orders.js'

tap.test('whatever happens in whatever order, each payment is one order’s or goes back: every order of it', async (t) => {
  t.equal(await runPaymentOrders(t, 'all', 0), allSequences)
})
