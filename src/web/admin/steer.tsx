/** A sale's state, and what changes it: pause, resume and, asked once more, end. */
import { useRef, useState } from 'preact/hooks'
import type { Sale, SaleFigures } from '../../contract.js'
import { inWords, type Operator } from './operator.js'
import { count, dayAndTime } from './words.js'

type Action = 'pause' | 'resume' | 'end'

const stateWords = { scheduled: 'Scheduled', open: 'Open', paused: 'Paused', ended: 'Ended' } as const
const done = { pause: 'The sale is paused: nobody can take units.', resume: 'The sale goes on.', end: 'The sale has ended.' } as const

interface Props {
  readonly sale: Sale
  readonly figures: SaleFigures | null
  readonly operator: Operator
  readonly onChanged: () => void
}

export function Steer({ sale, figures, operator, onChanged }: Props) {
  const [said, setSaid] = useState<{ readonly text: string; readonly isFault: boolean } | null>(null)
  const [busy, setBusy] = useState(false)
  const dialog = useRef<HTMLDialogElement>(null)

  async function steer(action: Action): Promise<void> {
    dialog.current?.close()
    setSaid(null)
    setBusy(true)
    const answer = await operator.ask<Sale>('POST', `/v1/admin/sales/${sale.saleId}/${action}`, { body: {} })
    setBusy(false)
    setSaid('value' in answer ? { text: done[action], isFault: false } : { text: inWords(answer.refused), isFault: true })
    onChanged()
  }

  return (
    <section class="steer card" aria-labelledby="sale-name">
      <header>
        <h2 id="sale-name">{sale.name}</h2>
        <p class={`state ${sale.status}`}><span class="unseen">State: </span>{stateWords[sale.status]}</p>
      </header>
      <dl class="facts">
        <div><dt>Sale</dt><dd>{sale.saleId}</dd></div>
        <div><dt>{sale.status === 'scheduled' ? 'Starts' : 'Started'}</dt><dd>{dayAndTime(sale.startsAt)}</dd></div>
        <div><dt>{sale.status === 'ended' ? 'Ended' : 'Ends'}</dt><dd>{sale.endsAt === null ? 'by hand' : dayAndTime(sale.endsAt)}</dd></div>
        <div><dt>Holds</dt><dd>from {sale.holdAt}, {count(sale.holdAt === 'cart' ? sale.holdSeconds : sale.paymentSeconds)} s</dd></div>
        <div><dt>Sold</dt><dd>{figures === null ? '–' : count(figures.items.reduce((sum, { sold }) => sum + sold, 0))}</dd></div>
        <div><dt>Orders in Postgres</dt><dd>{figures?.outbox ? count(figures.outbox.persistedOrders) : '–'}</dd></div>
      </dl>
      <div class="actions">
        {sale.status === 'open' && <button disabled={busy} onClick={() => void steer('pause')}>Pause the sale</button>}
        {sale.status === 'paused' && <button class="primary" disabled={busy} onClick={() => void steer('resume')}>Resume the sale</button>}
        {sale.status !== 'ended' && <button class="danger" disabled={busy} onClick={() => dialog.current?.showModal()}>End the sale…</button>}
      </div>
      <p role="status" class={said?.isFault ? 'fault' : 'done'}>{said?.text}</p>
      <dialog ref={dialog} aria-labelledby="end-title" aria-describedby="end-text">
        <h3 id="end-title">End {sale.name}?</h3>
        <p id="end-text">Nobody can take units any more, and it cannot be opened again. Who holds some can still pay until they lapse.</p>
        <div class="actions">
          <button autofocus onClick={() => dialog.current?.close()}>Keep it running</button>
          <button class="danger" onClick={() => void steer('end')}>End the sale now</button>
        </div>
      </dialog>
    </section>
  )
}
