/** A new sale from a table of items: looked at before it is published. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { Sale } from '../../contract.js'
import { columns, type Fault, type ItemRow, type ItemTable, readItems, sampleCsv } from './csv.js'
import type { Operator } from './operator.js'
import { type Outcome, publish, type SaleSetup } from './publish.js'
import { SaleFields } from './sale-fields.js'
import { count } from './words.js'

/** Rows and faults that are shown; all of them count. */
const shownBound = 200
/** How long nobody types until what became of the table is read out, in ms. */
const settledMs = 1_000

interface Props {
  readonly operator: Operator
  readonly onPublished: (sale: Sale) => void
}

type Progress = { readonly is: 'none' } | { readonly is: 'going'; readonly done: number; readonly of: number } | Outcome

export function NewSale({ operator, onPublished }: Props) {
  const [text, setText] = useState('')
  const [currency, setCurrency] = useState('USD')
  const [progress, setProgress] = useState<Progress>({ is: 'none' })
  const table = useMemo(() => (text.trim() === '' ? null : readItems(text, currency)), [text, currency])
  const faults = table === null ? [] : [...table.faults, ...table.rows.flatMap((row) => row.faults)]
  const isGoing = progress.is === 'going'

  function change(its: string): void {
    setText(its)
    setProgress({ is: 'none' })
  }

  async function readFile(input: HTMLInputElement): Promise<void> {
    const file = input.files?.[0]
    // A browser tells of the same file again, mended, only where none was chosen before.
    input.value = ''
    if (file !== undefined) change(await file.text())
  }

  async function submit(setup: SaleSetup): Promise<void> {
    if (table === null || faults.length > 0 || isGoing) return
    setProgress({ is: 'going', done: 0, of: table.rows.length })
    const outcome = await publish(operator, setup, table.rows, (done) => setProgress({ is: 'going', done, of: table.rows.length }))
    setProgress(outcome)
    if (outcome.is === 'published') onPublished(outcome.sale)
  }

  return (
    <section class="new-sale" aria-labelledby="new-sale-title">
      <h2 id="new-sale-title">New sale from a table of items</h2>
      <form id="new-sale" class="card" onSubmit={(event) => {
        event.preventDefault()
        void submit(SaleFields.read(event.currentTarget))
      }}>
        <SaleFields currency={currency} onCurrency={setCurrency} />
        <fieldset class="table-source">
          <legend>Items</legend>
          <label>A CSV file
            <input type="file" accept=".csv,text/csv" onChange={({ currentTarget }) => void readFile(currentTarget)} />
          </label>
          <label>or pasted
            <textarea rows={6} spellcheck={false} value={text} placeholder={sampleCsv} aria-describedby="table-columns" onInput={({ currentTarget }) => change(currentTarget.value)} />
          </label>
          <Columns />
        </fieldset>
      </form>
      {table !== null && <Preview table={table} faults={faults} currency={currency} />}
      <div class="publish card">
        <button form="new-sale" class="primary" disabled={table === null || faults.length > 0 || isGoing}>
          {table === null ? 'Publish the sale' : `Publish the sale of ${count(table.rows.length)} ${table.rows.length === 1 ? 'item' : 'items'}`}
        </button>
        <div role="status"><Told progress={progress} /></div>
        {isGoing && <progress max={progress.of} value={progress.done} aria-label="Items in the catalogue" />}
      </div>
    </section>
  )
}

function Columns() {
  return (
    <div id="table-columns" class="small muted">
      <p>
        The first row names the columns, in any order: <code>{columns.join(', ')}</code>. Needed are <code>sku</code>, <code>name</code>, <code>price</code> and <code>allocation</code>.
      </p>
      <p>
        <code>price</code> and <code>listPrice</code> are written with a point (<code>24.90</code>); <code>quantity</code> is what the store has of an item that is new to it (empty
        for one that it knows), <code>allocation</code> what the sale may sell of it, <code>maxPerCart</code> empty for no limit.{' '}
        <a download="sale.csv" href={`data:text/csv;charset=utf-8,${encodeURIComponent(sampleCsv)}`}>A sample to download</a>
      </p>
    </div>
  )
}

function Preview({ table: { rows }, faults, currency }: { readonly table: ItemTable; readonly faults: readonly Fault[]; readonly currency: string }) {
  const sentence = faults.length > 0 ? `${count(faults.length)} ${faults.length === 1 ? 'fault' : 'faults'} to mend before it can be published.` : `${count(rows.length)} items in ${currency}, without a fault.`
  const settled = useSettled(sentence)
  return (
    <section class="preview card" aria-labelledby="preview-title">
      <header>
        <h3 id="preview-title">Preview</h3>
        <p aria-hidden="true" class={faults.length > 0 ? 'fault' : 'done'}>{sentence}</p>
        <p role="status" class="unseen">{settled}</p>
      </header>
      {faults.length > 0 && (
        <ul class="faults" aria-label="Faults">
          {faults.slice(0, shownBound).map(({ row, column, message }, i) => <li key={i}>{row > 0 && <b>Row {row}</b>} {column !== null && <code>{column}</code>} {message}</li>)}
        </ul>
      )}
      {rows.length > 0 && (
        <div class="scrolled" role="region" aria-label="The rows" tabIndex={0}>
          <table>
            <thead><tr><th scope="col">Row</th>{columns.map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
            <tbody>{rows.slice(0, shownBound).map((row) => <PreviewRow key={row.row} row={row} />)}</tbody>
          </table>
        </div>
      )}
      {rows.length > shownBound && <p class="muted">The first {shownBound} of {count(rows.length)} rows are shown; all of them were read.</p>}
    </section>
  )
}

/** @returns what a text is once it has not changed for a while: whoever listens is not told at every key that is pressed */
function useSettled(text: string): string {
  const [settled, setSettled] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), settledMs)
    return () => clearTimeout(timer)
  }, [text])
  return settled
}

function PreviewRow({ row: { row, cells, faults } }: { readonly row: ItemRow }) {
  return (
    <tr class={faults.length > 0 ? 'wrong' : ''}>
      <th scope="row">{row}</th>
      {columns.map((column) => {
        const its = faults.filter((fault) => fault.column === column)
        return (
          <td key={column} class={its.length > 0 ? 'wrong' : ''}>
            {cells[column]}
            {its.length > 0 && <span class="fault small"> {its.map(({ message }) => message).join('; ')}</span>}
          </td>
        )
      })}
    </tr>
  )
}

function Told({ progress }: { readonly progress: Progress }) {
  switch (progress.is) {
    case 'none':
      return null
    case 'going':
      return <p>The items are put into the catalogue.</p>
    case 'published':
      return <p class="done">{progress.wasThere ? 'The sale was there already, as it should be.' : 'The sale is published.'} It can be watched now.</p>
    case 'refused':
      return <p class="fault">The items are in the catalogue, and the sale is not published: {progress.message} Pressing the button again does no harm.</p>
    case 'items':
      return (
        <>
          <p class="fault">
            {count(progress.faults.length)} {progress.faults.length === 1 ? 'item was' : 'items were'} refused, so the sale is not published. Mend them and publish again: what is in the catalogue stays as it is.
          </p>
          <ul class="faults">{progress.faults.slice(0, shownBound).map(({ row, sku, message }) => <li key={row}><b>Row {row}</b> <code>{sku}</code> {message}</li>)}</ul>
        </>
      )
  }
}
