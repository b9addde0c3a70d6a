/**
 * The items of a sale as a table of text, read and held against what the API will take: every fault by its row and column, before
 * anything is sent.
 */
import Papa from 'papaparse'
import type { Money, PublishSale, PutItem } from '../../contract.js'

export const columns = ['sku', 'name', 'description', 'price', 'listPrice', 'quantity', 'allocation', 'maxPerCart'] as const
export type Column = (typeof columns)[number]
const neededColumns: readonly Column[] = ['sku', 'name', 'price', 'allocation']

/** The bounds of the contract. */
const maxUnits = 1_000_000_000
const maxItems = 10_000

export const sampleCsv = `sku,name,description,price,listPrice,quantity,allocation,maxPerCart
KETTLE-1L,"Kettle, 1 l",Steel,24.90,39.90,120,100,2
LAMP,Desk lamp,,18.00,,50,50,
`

/** Rows are counted as a spreadsheet does, from 1 and with the empty ones; 0 is the table itself. */
export interface Fault {
  readonly row: number
  readonly column: Column | null
  readonly message: string
}

export interface ItemRow {
  readonly row: number
  /** As it was written. */
  readonly cells: Readonly<Record<Column, string>>
  readonly faults: readonly Fault[]
  /** What will be sent; null where a fault is in the way. */
  readonly item: { readonly put: PutItem; readonly sale: PublishSale['items'][number] } | null
}

export interface ItemTable {
  readonly rows: readonly ItemRow[]
  /** Of the table as a whole. */
  readonly faults: readonly Fault[]
}

type Cells = Record<Column, string>

/** @param currency ISO 4217; prices are in its units, with as many decimals as it has */
export function readItems(text: string, currency: string): ItemTable {
  const whole = text.replace(/^\uFEFF/, '')
  // Empty rows would mislead the guess of a delimiter, and count as rows of the file.
  const { delimiter } = Papa.parse(whole, { skipEmptyLines: 'greedy', preview: 1 }).meta
  const { data, errors } = Papa.parse<string[]>(whole, { delimiter })
  // A delimiter that could not be guessed is no fault of a table of one column, which lacks others that are named below.
  const faults: Fault[] = errors.filter(({ type }) => type === 'Quotes').map(({ row = 0 }) => ({ row: row + 1, column: null, message: 'a quote is not closed, or is in the middle of a cell' }))
  const [head, ...body] = data.map((cells, index) => ({ cells, row: index + 1 })).filter(({ cells }) => cells.some((cell) => cell.trim() !== ''))
  if (head === undefined) return { rows: [], faults: [{ row: 0, column: null, message: 'there are no rows' }] }
  const names = head.cells.map((name) => name.trim())
  const known = names.filter((name): name is Column => (columns as readonly string[]).includes(name))
  for (const name of names) if (!(columns as readonly string[]).includes(name)) faults.push({ row: head.row, column: null, message: `there is no column “${name}”` })
  for (const name of new Set(known)) if (known.filter((one) => one === name).length > 1) faults.push({ row: head.row, column: name, message: 'is there twice' })
  for (const name of neededColumns) if (!known.includes(name)) faults.push({ row: head.row, column: name, message: 'is missing' })
  if (body.length === 0) faults.push({ row: 0, column: null, message: 'there are no items' })
  if (body.length > maxItems) faults.push({ row: 0, column: null, message: `a sale has at most ${maxItems} items, and here are ${body.length}` })
  if (faults.length > 0) return { rows: [], faults }

  const firstRows = new Map<string, number>()
  const rows = body.map(({ cells, row }) => {
    const byColumn = Object.fromEntries(columns.map((column) => [column, (cells[names.indexOf(column)] ?? '').trim()])) as Cells
    const its = readRow(row, byColumn, currency, cells.length - names.length)
    const first = firstRows.get(byColumn.sku)
    if (first === undefined) firstRows.set(byColumn.sku, row)
    return first === undefined ? its : { ...its, item: null, faults: [...its.faults, { row, column: 'sku' as const, message: `is in row ${first} already` }] }
  })
  return { rows, faults: [] }
}

function readRow(row: number, cells: Cells, currency: string, extraCells: number): ItemRow {
  const faults: Fault[] = []
  const fault = (column: Column | null, message: string): null => {
    faults.push({ row, column, message })
    return null
  }
  if (extraCells > 0) fault(null, `has ${extraCells} more ${extraCells === 1 ? 'cell' : 'cells'} than there are columns; a cell with a comma goes in quotes`)
  const { sku, name, description } = cells
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(sku)) fault('sku', 'must be 1 to 32 letters, digits, - or _')
  if (name === '') fault('name', 'is missing')
  else if (name.length > 200 || !isText(name)) fault('name', 'must be at most 200 characters, on one line')
  if (description.length > 1_000 || !isText(description.replaceAll(/[\n\r\t]/g, ' '))) fault('description', 'must be at most 1,000 characters')
  const price = amount('price', cells.price)
  const listPrice = cells.listPrice === '' ? null : amount('listPrice', cells.listPrice)
  if (price !== null && listPrice !== null && listPrice.amount < price.amount) fault('listPrice', 'must not be lower than the price')
  const allocation = wholeNumber('allocation', cells.allocation, 0)
  const quantity = cells.quantity === '' ? null : wholeNumber('quantity', cells.quantity, 0)
  const maxPerCart = cells.maxPerCart === '' ? null : wholeNumber('maxPerCart', cells.maxPerCart, 1)
  if (quantity !== null && allocation !== null && allocation > quantity) fault('allocation', `is more than the quantity of ${quantity}`)
  if (faults.length > 0 || price === null || allocation === null) return { row, cells, faults, item: null }
  return {
    row, cells, faults,
    item: {
      put: { name, description, price: listPrice ?? price, ...(quantity === null ? {} : { quantity }) },
      sale: { sku, price, allocation, ...(maxPerCart === null ? {} : { maxPerCart }) },
    },
  }

  function amount(column: 'price' | 'listPrice', text: string): Money | null {
    if (text === '') return fault(column, 'is missing')
    const minor = minorUnits(text, currency)
    return minor === null ? fault(column, `must be an amount of ${currency || 'the currency'} such as ${exampleAmount(currency)}`) : { amount: minor, currency }
  }
  function wholeNumber(column: Column, text: string, minimum: number): number | null {
    if (text === '') return fault(column, 'is missing')
    const number = /^\d{1,10}$/.test(text) ? Number(text) : -1
    return number >= minimum && number <= maxUnits ? number : fault(column, `must be a whole number from ${minimum} to ${maxUnits}`)
  }
}

/** Without control characters and halves of characters, which neither store can hold. */
const isText = (text: string): boolean => !/\p{Cc}|\p{Surrogate}/u.test(text)

const knownDecimals = new Map<string, number>()

function decimalsOf(currency: string): number {
  let decimals = knownDecimals.get(currency)
  if (decimals === undefined) knownDecimals.set(currency, (decimals = askDecimals(currency)))
  return decimals
}

function askDecimals(currency: string): number {
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  } catch {
    return 2
  }
}

const exampleAmount = (currency: string): string => (19.99).toFixed(decimalsOf(currency))

/** @returns an amount written with a point in minor units, exactly; null where it is none */
function minorUnits(text: string, currency: string): number | null {
  const decimals = decimalsOf(currency)
  const match = /^(\d{1,15})(?:\.(\d+))?$/.exec(text)
  const fraction = match?.[2] ?? ''
  if (match === null || fraction.length > decimals) return null
  const minor = Number(`${match[1]}${fraction.padEnd(decimals, '0')}`)
  return Number.isSafeInteger(minor) ? minor : null
}
