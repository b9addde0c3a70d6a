/** A table of items: what is taken, and where each fault is. */
import { Value } from '@sinclair/typebox/value'
import tap, { type Test } from 'tap'
import { maxQuantity, maxSaleItems, PublishSale, PutItem } from '../../src/contract.js'
import { columns, readItems, sampleCsv } from '../../src/web/admin/csv.js'

const head = columns.join(',')
/** A row that is right, but for what is said. */
const row = (cells: Partial<Record<(typeof columns)[number], string>> = {}) => {
  const whole = { sku: 'A', name: 'Lamp', description: '', price: '19.99', listPrice: '', quantity: '10', allocation: '5', maxPerCart: '', ...cells }
  return columns.map((column) => `"${whole[column].replaceAll('"', '""')}"`).join(',')
}
const read = (...rows: string[]) => readItems([head, ...rows].join('\n'), 'USD')

/** Asserts that a table has exactly these faults. */
function faulty(t: Test, text: string, ...faults: [row: number, column: string | null, message: RegExp][]): void {
  const { rows, faults: ofTable } = readItems(text, 'USD')
  const found = [...ofTable, ...rows.flatMap((its) => its.faults)]
  t.strictSame(found.map(({ row: its, column }) => [its, column]), faults.map(([its, column]) => [its, column]), JSON.stringify(found))
  for (const [i, [, , message]] of faults.entries()) t.match(found[i]?.message, message)
}

void tap.test('the sample that is to be downloaded is a table without a fault', async (t) => {
  const { rows, faults } = readItems(sampleCsv, 'USD')
  t.strictSame(faults, [])
  t.strictSame(rows.map(({ item }) => item), [
    {
      put: { name: 'Kettle, 1 l', description: 'Steel', price: { amount: 3_990, currency: 'USD' }, quantity: 120 },
      sale: { sku: 'KETTLE-1L', price: { amount: 2_490, currency: 'USD' }, allocation: 100, maxPerCart: 2 },
    },
    { put: { name: 'Desk lamp', description: '', price: { amount: 1_800, currency: 'USD' }, quantity: 50 }, sale: { sku: 'LAMP', price: { amount: 1_800, currency: 'USD' }, allocation: 50 } },
  ])
})

void tap.test('whatever a spreadsheet writes is read: a byte-order mark, semicolons, CRLF, empty lines, columns in another order', async (t) => {
  const { rows, faults } = readItems('\uFEFFallocation;price;name;sku\r\n5;19.99;"Lamp; ""bright""";A\r\n;;;\r\n\r\n', 'USD')
  t.strictSame(faults, [])
  t.match(rows, [{ row: 2, faults: [], item: { put: { name: 'Lamp; "bright"', price: { amount: 1_999 } }, sale: { sku: 'A', allocation: 5 } } }])
  t.equal(rows.length, 1)
})

void tap.test('what is taken here is what the API takes, at every bound, and nothing beyond it', async (t) => {
  const bounds = String(maxQuantity)
  for (const cells of [
    {}, { sku: 's'.repeat(32) }, { sku: '-_09azAZ' }, { name: 'n'.repeat(200) }, { description: 'd'.repeat(1_000) }, { description: 'two\nlines\tand more' },
    { price: '0' }, { price: '0.5' }, { price: '90071992547409.91' }, { allocation: '0' }, { quantity: bounds, allocation: bounds }, { maxPerCart: '1' }, { maxPerCart: bounds },
    { quantity: '' }, { listPrice: '19.99' }, { name: '<img src=x onerror=alert(1)>' }, { name: 'Zoë 日本' },
  ]) {
    const [its] = read(row(cells)).rows
    t.strictSame(its?.faults, [], JSON.stringify(cells))
    t.ok(Value.Check(PutItem, its!.item!.put), JSON.stringify(its!.item))
    t.ok(Value.Check(PublishSale, { saleId: 'a', name: 'a', items: [its!.item!.sale] }))
  }
  for (const [cells, column] of [
    [{ sku: '' }, 'sku'], [{ sku: 's'.repeat(33) }, 'sku'], [{ sku: 'a b' }, 'sku'], [{ sku: 'ä' }, 'sku'],
    [{ name: '' }, 'name'], [{ name: 'n'.repeat(201) }, 'name'], [{ name: 'two\nlines' }, 'name'], [{ name: 'half \ud83d' }, 'name'],
    [{ description: 'd'.repeat(1_001) }, 'description'], [{ description: 'a\u0000b' }, 'description'],
    [{ price: '' }, 'price'], [{ price: '-1' }, 'price'], [{ price: '1,99' }, 'price'], [{ price: '1.999' }, 'price'], [{ price: '1e3' }, 'price'], [{ price: '$5' }, 'price'],
    [{ price: '90071992547409.92' }, 'price'], [{ listPrice: '19.98' }, 'listPrice'], [{ listPrice: 'x' }, 'listPrice'],
    [{ allocation: '' }, 'allocation'], [{ allocation: '1.5' }, 'allocation'], [{ allocation: '-1' }, 'allocation'], [{ allocation: '11' }, 'allocation'],
    [{ quantity: '1000000001' }, 'quantity'], [{ quantity: 'many' }, 'quantity'], [{ maxPerCart: '0' }, 'maxPerCart'], [{ maxPerCart: '1000000001' }, 'maxPerCart'],
  ] as const) {
    const [its] = read(row(cells)).rows
    t.strictSame(its?.faults.map((fault) => [fault.row, fault.column]), [[2, column]], JSON.stringify(cells))
    t.equal(its?.item, null)
  }
})

void tap.test('each fault is named by its row and column', async (t) => {
  faulty(t, [head, row(), row({ sku: 'B', price: 'free', allocation: '' }), row({ sku: 'A' }), row({ sku: 'C' })].join('\n'),
    [3, 'price', /must be an amount of USD such as 19\.99/], [3, 'allocation', /is missing/], [4, 'sku', /is in row 2 already/])
  faulty(t, [head, `${row()},more`].join('\n'), [2, null, /has 1 more cell than there are columns/])
})

void tap.test('a fault’s row is the one of the file, empty ones counted', async (t) => {
  faulty(t, ['', head, '', row({ price: 'free' }), ' ,,', row({ sku: 'B' }), row({ sku: 'B' }), ''].join('\r\n'), [4, 'price', /must be/], [7, 'sku', /is in row 6 already/])
  faulty(t, ['', 'sku,name,prize,allocation', '', 'A,Lamp,1,1'].join('\n'), [2, null, /there is no column/], [2, 'price', /is missing/])
  faulty(t, ['sku,name,price,allocation', '', '', 'A,"Lamp,1,1'].join('\n'), [4, null, /a quote is not closed/])
  const empty = Array.from({ length: 20 }, () => '')
  t.match(readItems(['', 'sku;name;price;allocation', ...empty, 'A;Lamp;1;1'].join('\n'), 'USD').rows, [{ row: 23, faults: [] }])
})

void tap.test('a table that is none says what it lacks', async (t) => {
  faulty(t, ' \n', [0, null, /there are no rows/])
  faulty(t, head, [0, null, /there are no items/])
  faulty(t, `sku,name,prize,allocation\n${'A,Lamp,1,1'}`, [1, null, /there is no column “prize”/], [1, 'price', /is missing/])
  faulty(t, `sku,sku,name,price,allocation\nA,A,Lamp,1,1`, [1, 'sku', /is there twice/])
  faulty(t, [head, ...Array.from({ length: maxSaleItems + 1 }, (_, n) => row({ sku: `s${n}` }))].join('\n'), [0, null, /at most 10000 items, and here are 10001/])
  faulty(t, `sku,name,price,allocation\nA,"Lamp,1,1`, [2, null, /a quote is not closed/])
})

void tap.test('prices are exact, with the decimals of their currency', async (t) => {
  const priced = (price: string, currency: string) => readItems(`sku,name,price,allocation\nA,Lamp,${price},1`, currency).rows[0]?.item?.sale.price
  t.strictSame(priced('1.15', 'USD'), { amount: 115, currency: 'USD' })
  t.strictSame(priced('4.35', 'EUR'), { amount: 435, currency: 'EUR' })
  t.strictSame(priced('1200', 'JPY'), { amount: 1_200, currency: 'JPY' })
  t.equal(priced('1200.5', 'JPY'), undefined)
  t.strictSame(priced('1.125', 'KWD'), { amount: 1_125, currency: 'KWD' })
})
