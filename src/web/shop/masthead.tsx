/** The head of the page: which sale this is, and how it stands. */
import { dayAndTime, duration } from '../format.js'
import { Countdown } from './countdown.js'
import type { WholeSale } from './state.js'

const standing = { scheduled: 'Coming soon', open: 'Open now', paused: 'Paused', ended: 'Over' } as const

export function Masthead({ sale, compact }: { readonly sale: WholeSale; readonly compact: boolean }) {
  const { name, status } = sale
  const Title = compact ? 'p' : 'h1'
  return (
    <header class={`masthead${compact ? ' masthead-compact' : ''}`}>
      <div class="masthead-inner">
        <div>
          <p class={`standing standing-${status}`}>{standing[status]}</p>
          <Title class="sale-name" tabIndex={compact ? undefined : -1}>{name} <span>flash sale</span></Title>
        </div>
        <div class="masthead-side">
          <Turn sale={sale} />
          {!compact && <p class="promise">{promise(sale)}</p>}
        </div>
      </div>
      <p class="unseen" role="status">{status === 'paused' ? 'The sale is paused.' : status === 'ended' ? 'The sale has ended.' : status === 'open' ? 'The sale is open.' : ''}</p>
    </header>
  )
}

function Turn({ sale: { status, startsAt, endsAt } }: { readonly sale: WholeSale }) {
  switch (status) {
    case 'scheduled':
      return <Countdown label={`Starts ${dayAndTime(startsAt)}`} until={startsAt} />
    case 'open':
      return endsAt === null ? <p class="countdown-label">While stock lasts</p> : <Countdown label="Ends in" until={endsAt} />
    case 'paused':
      return <p class="countdown-label">Back in a moment</p>
    case 'ended':
      return <p class="countdown-label">{endsAt === null ? 'The sale has ended' : `Ended ${dayAndTime(endsAt)}`}</p>
  }
}

function promise({ status, holdAt, holdSeconds, paymentSeconds }: WholeSale): string {
  switch (status) {
    case 'scheduled':
      return 'Look around already. Nobody can buy before the clock is at zero.'
    case 'paused':
      return 'Nothing can be added right now. What you hold stays yours: check out and pay as usual.'
    case 'ended':
      return 'Thank you for coming. What you already hold you can still check out and pay for.'
    case 'open':
      return holdAt === 'cart'
        ? `What you add is yours for ${duration(holdSeconds)}. Every number on this page is live.`
        : `What you check out is yours for ${duration(paymentSeconds)}. Every number on this page is live.`
  }
}
