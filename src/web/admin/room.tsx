/** The control room, once the token is there: which sale, what it does, and what can be done about it. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { AuditReport, Sale, SaleFigures } from '../../contract.js'
import { Charts, useHistory } from './charts.js'
import { type Health, HealthStrip } from './health.js'
import { NewSale } from './new-sale.js'
import { inWords, type Operator } from './operator.js'
import { usePolled } from './polled.js'
import { Restock } from './restock.js'
import { Steer } from './steer.js'
import { Stock } from './stock.js'
import { Verdict } from './verdict.js'

/** How often each is asked for, in ms. An audit reads a whole sale, the figures only its counters. */
const salesMs = 3_000
const figuresMs = 2_000
const auditMs = 10_000
const healthMs = 5_000
/** The names of a sale's items do not change. */
const namesMs = 600_000

interface Props {
  readonly operator: Operator
  readonly onLeave: () => void
}

export function Room({ operator, onLeave }: Props) {
  const [view, setView] = useState<'watch' | 'new'>('watch')
  const [chosenId, setChosenId] = useState('')
  const [restocked, setRestocked] = useState<{ readonly sku: string } | null>(null)
  const [queueFault, setQueueFault] = useState<string | null>(null)
  const sales = usePolled<{ sales: Sale[] }>(() => operator.ask('GET', '/v1/sales'), salesMs, 'sales')
  const health = usePolled<Health>(() => operator.ask('GET', '/readyz'), healthMs, 'health')
  const all = sales.value?.sales ?? []
  const sale = all.find(({ saleId }) => saleId === chosenId) ?? mostLively(all)
  const saleId = sale?.saleId ?? ''
  // What is shown first stays, whatever becomes of it: it may be paused or ended here.
  useEffect(() => setChosenId((chosen) => (chosen === '' ? saleId : chosen)), [saleId])
  const of = (path: string, kind: string) => (saleId === '' ? null : () => operator.ask<never>('GET', `${path}/${saleId}${kind}`))
  const figures = usePolled<SaleFigures>(of('/v1/admin/sales', '/figures'), figuresMs, `figures ${saleId}`)
  const audit = usePolled<AuditReport>(of('/v1/admin/sales', '/audit'), auditMs, `audit ${saleId}`)
  const whole = usePolled<Sale>(of('/v1/sales', ''), namesMs, `names ${saleId}`)
  const points = useHistory(saleId, figures.value)
  const names = useMemo(() => new Map(whole.value?.items?.map(({ sku, name }) => [sku, name])), [whole.value])
  const look = (at: 'watch' | 'new'): void => {
    setRestocked(null)
    setView(at)
  }
  const choose = (id: string): void => {
    setRestocked(null)
    setChosenId(id)
  }
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => title.current?.focus(), [])

  const afterChange = (): void => [sales, figures, audit].forEach(({ again }) => again())
  const trouble = sales.refused ?? figures.refused

  async function openQueue(): Promise<void> {
    setQueueFault(null)
    const answer = await operator.ask('POST', '/v1/admin/queues/session')
    if ('value' in answer) location.assign('/admin/queues/')
    else setQueueFault(inWords(answer.refused))
  }

  return (
    <>
      <header class="top">
        <h1 ref={title} tabIndex={-1}>Control room</h1>
        <div class="which">
          <select aria-label="Sale" value={saleId} onChange={({ currentTarget }) => choose(currentTarget.value)}>
            {all.length === 0 && <option value="">No sale yet</option>}
            {all.map(({ saleId: id, name, status }) => <option key={id} value={id}>{name} ({id}), {status}</option>)}
          </select>
        </div>
        <nav aria-label="Control room">
          <button aria-current={view === 'watch' ? 'page' : undefined} onClick={() => look('watch')}>Watch</button>
          <button aria-current={view === 'new' ? 'page' : undefined} onClick={() => look('new')}>New sale</button>
          <button onClick={() => void openQueue()}>Queue’s jobs</button>
          <button onClick={onLeave}>Leave</button>
        </nav>
        <HealthStrip health={health} />
      </header>
      <main>
        <div role="status" class="trouble">
          {trouble !== null && <p class="fault card">What is shown is not new: {inWords(trouble)}</p>}
          {queueFault !== null && <p class="fault card">The queue cannot be opened: {queueFault}</p>}
        </div>
        {/* Hidden, not gone: what was filled in is there when one comes back to it. */}
        <div hidden={view !== 'new'}>
          <NewSale operator={operator} onPublished={({ saleId: made }) => { choose(made); sales.again() }} />
        </div>
        {view === 'watch' && sale === undefined && (
          <p class="card empty">{sales.value === null ? 'The sales are being read.' : 'There is no sale yet: make one from a table of items, under “New sale”.'}</p>
        )}
        {view === 'watch' && sale !== undefined && (
          <div class="watch" key={saleId}>
            <Verdict audit={audit} />
            <Steer sale={sale} figures={figures.value} operator={operator} onChanged={afterChange} />
            <Charts points={points} />
            <Stock sale={sale} figures={figures.value} names={names} onRestock={(sku) => setRestocked({ sku })} />
            <Restock saleId={saleId} names={names} chosen={restocked} operator={operator} onChanged={afterChange} />
          </div>
        )}
      </main>
    </>
  )
}

/** The sale that an operator wants to see before having chosen one. */
function mostLively(sales: readonly Sale[]): Sale | undefined {
  for (const wanted of ['open', 'paused', 'scheduled'] as const) {
    const found = sales.find(({ status }) => status === wanted)
    if (found !== undefined) return found
  }
  return sales[0]
}
