/** The order: paying for it, and what became of it. */
import { useState } from 'preact/hooks'
import type { Order } from '../../contract.js'
import { money, timeOfDay } from '../format.js'
import { ShortCountdown } from './countdown.js'
import type { PartProps } from './parts.js'
import { Summary } from './summary.js'

/** What the sandbox, which moves no money, makes of a charge. */
const outcomes = [
  ['tok_ok', 'It goes through', 'The bank says yes.'],
  ['tok_declined', 'It is declined', 'The bank says no; you can try again.'],
  ['tok_pending', 'It takes a while', 'The bank decides later.'],
  ['tok_unreachable', 'The bank cannot be reached', 'Nothing is charged.'],
] as const

export function Purchase(props: PartProps) {
  const { order } = props.state
  if (order === null) {
    return (
      <section class="panel narrow">
        <h1 tabIndex={-1} class="view-heading">Your order</h1>
        <p>There is no order yet. <a href="#">Choose something from the sale</a>.</p>
      </section>
    )
  }
  return (
    <div class="two-columns">
      <section class="panel" aria-labelledby="order-heading">
        <Standing {...props} order={order} />
        <p class="back"><a {...(order.status === 'paid' && { class: 'button' })} href="#">{order.status === 'paid' ? 'Keep shopping' : 'Back to the sale'}</a></p>
      </section>
      <aside class="panel" aria-labelledby="summary-heading">
        <h2 id="summary-heading">Your items</h2>
        <Summary lines={order.items} total={order.total} />
        <dl class="facts">
          <dt>Order</dt><dd><code>{order.orderId}</code></dd>
          <dt>For</dt><dd>{order.customer.name}, {order.customer.email}</dd>
          <dt>To</dt><dd>{[order.customer.address.line1, order.customer.address.line2, order.customer.address.postalCode, order.customer.address.city, order.customer.address.country].filter(Boolean).join(', ')}</dd>
        </dl>
      </aside>
    </div>
  )
}

interface StandingProps extends PartProps {
  readonly order: Order
}

function Standing(props: StandingProps) {
  const { order } = props
  switch (order.status) {
    case 'awaiting_payment':
      return <Pay {...props} />
    case 'payment_pending':
      return (
        <>
          <Heading>Payment under way</Heading>
          <p class="lead" role="status">The bank has not decided yet. Your items stay held meanwhile, you will not be charged twice, and you may close this page: your order is here when you come back.</p>
          <Steps done={0} />
        </>
      )
    case 'paid':
      return (
        <>
          <svg class="tick" viewBox="0 0 64 64" aria-hidden="true" focusable="false"><circle cx="32" cy="32" r="30" /><path d="m19 33 9 9 18-20" /></svg>
          <Heading>Thank you, {order.customer.name}</Heading>
          <p class="lead" role="status">{order.persisted
            ? 'Your order is paid and saved. Nobody can take it from you any more.'
            : 'Your payment went through, and the items are yours. We are writing your order into the books.'}</p>
          <Steps done={order.persisted ? 2 : 1} />
        </>
      )
    case 'expired':
      return <Over title="The time to pay ran out" text="The items went back on sale. Should a payment still arrive, you get the items if they are there, or else your money back." />
    case 'cancelled':
      return <Over title="Your order is cancelled" text="Nothing was charged. Should a payment still arrive, you get it back." />
    case 'refund_due':
      return <Over title="You get your money back" text="Your payment came when the items were gone. The refund is on its way; there is nothing that you need to do." />
    case 'refunded':
      return <Over title="You got your money back" text="Your payment came when the items were gone, and it has been refunded." />
  }
}

function Heading({ children }: { readonly children: preact.ComponentChildren }) {
  return <h1 id="order-heading" tabIndex={-1} class="view-heading">{children}</h1>
}

function Over({ title, text }: { readonly title: string; readonly text: string }) {
  return <><Heading>{title}</Heading><p class="lead" role="status">{text}</p></>
}

/** @param props.done steps that are behind the customer */
function Steps({ done }: { readonly done: number }) {
  return (
    <ol class="steps">
      {['Paid', 'Saved'].map((step, i) => (
        <li key={step} class={i < done ? 'step-done' : i === done ? 'step-now' : ''}>
          {step}<span class="unseen">{i < done ? ': done' : i === done ? ': under way' : ': to come'}</span>
        </li>
      ))}
    </ol>
  )
}

function Pay({ state, store, actions, order }: StandingProps) {
  const [token, setToken] = useState<string>(outcomes[0][0])
  const busy = state.busy.has('pay') || state.busy.has('cancel')
  return (
    <>
      <Heading>Payment</Heading>
      <p class="lead">
        {order.payBy && <>Your items are held for <ShortCountdown until={order.payBy} />, until {timeOfDay(order.payBy)}. </>}
        This shop runs on a sandbox: no money moves, and you choose what the bank says.
      </p>
      <form onSubmit={(event) => {
        event.preventDefault()
        if (!busy) void store.busyWith('pay', () => actions.pay(order, token))
      }}>
        <fieldset class="outcomes">
          <legend>What happens with your card</legend>
          {outcomes.map(([value, label, more]) => (
            <label key={value} class="outcome">
              <input type="radio" name="token" value={value} checked={token === value} onChange={() => setToken(value)} />
              <span><b>{label}</b><small>{more}</small></span>
            </label>
          ))}
        </fieldset>
        <button type="submit" class="button button-main button-wide" aria-disabled={busy}>{state.busy.has('pay') ? 'Asking the bank…' : `Pay ${money(order.total)}`}</button>
      </form>
      <button type="button" class="button-plain" aria-disabled={busy} onClick={() => { if (!busy) void store.busyWith('cancel', () => actions.cancel(order)) }}>Cancel this order</button>
    </>
  )
}
