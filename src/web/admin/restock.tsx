/** More units of an item, or fewer, with the reason that the ledger keeps. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Adjust, Adjustment } from '../../contract.js'
import { newKey } from '../key.js'
import { inWords, type Operator } from './operator.js'
import { units } from './words.js'

interface Props {
  readonly saleId: string
  /** The items to choose from, by sku. */
  readonly names: ReadonlyMap<string, string>
  /** What was chosen beside its numbers, and when. */
  readonly chosen: { readonly sku: string } | null
  readonly operator: Operator
  readonly onChanged: () => void
}

export function Restock({ saleId, names, chosen, operator, onChanged }: Props) {
  const [sku, setSku] = useState('')
  const [said, setSaid] = useState<{ readonly text: string; readonly isFault: boolean } | null>(null)
  const [busy, setBusy] = useState(false)
  const form = useRef<HTMLFormElement>(null)
  const delta = useRef<HTMLInputElement>(null)
  const reason = useRef<HTMLInputElement>(null)
  // The same adjustment has the same key until it was made: pressed twice, it counts once.
  const sent = useRef({ content: '', key: '' })

  useEffect(() => {
    if (chosen === null) return
    setSku(chosen.sku)
    delta.current?.focus()
  }, [chosen])

  async function submit(event: Event): Promise<void> {
    event.preventDefault()
    const body: Adjust = { delta: Number(delta.current!.value), reason: reason.current!.value.trim(), saleId }
    const content = JSON.stringify([sku, body])
    if (sent.current.content !== content) sent.current = { content, key: newKey() }
    setSaid(null)
    setBusy(true)
    const answer = await operator.ask<Adjustment>('POST', `/v1/admin/items/${sku}/adjustments`, { body, idempotencyKey: sent.current.key })
    setBusy(false)
    if ('refused' in answer) return setSaid({ text: inWords(answer.refused), isFault: true })
    sent.current = { content: '', key: '' }
    form.current?.reset()
    setSaid({ text: `${body.delta > 0 ? '+' : '−'}${units(Math.abs(body.delta))} of ${names.get(sku) ?? sku}.`, isFault: false })
    onChanged()
  }

  return (
    <section class="restock card" aria-labelledby="restock-title">
      <h2 id="restock-title">Restock</h2>
      <form ref={form} onSubmit={(event) => void submit(event)} aria-busy={busy}>
        <label>Item
          <select required value={sku} onChange={({ currentTarget }) => setSku(currentTarget.value)}>
            <option value="">Choose one</option>
            {[...names].map(([its, name]) => <option key={its} value={its}>{name} ({its})</option>)}
          </select>
        </label>
        <label>Units
          <input ref={delta} type="number" required step={1} min={-1_000_000_000} max={1_000_000_000} aria-describedby="restock-units" />
        </label>
        <p id="restock-units" class="muted small">Fewer with a minus: only units that are available can go.</p>
        <label>Reason
          <input ref={reason} type="text" required maxLength={200} autoComplete="off" />
        </label>
        <button class="primary" disabled={busy}>Restock</button>
        <p role="status" class={said?.isFault ? 'fault' : 'done'}>{said?.text}</p>
      </form>
    </section>
  )
}
