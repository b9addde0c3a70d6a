/** A sale from a table of items: looked at first, then published, and done again where it was cut. */
import tap, { type Test } from 'tap'
import type { CatalogueItem, Sale } from '../../src/contract.js'
import { sampleCsv } from '../../src/web/admin/csv.js'
import { adminToken, until } from '../races/processes.js'
import { call, good, openShop } from '../races/shop.js'
import { violations } from './axe.js'
import { openBrowser } from './chromium.js'
import { openOperator } from './operator.js'

const { apis: [api] } = await openShop(tap)
const browser = await openBrowser(tap)
const headers = { authorization: `Bearer ${adminToken}` }
const stored = async (sku: string) => good(await call<CatalogueItem>('GET', `${api}/v1/admin/items/${sku}`, { headers }))
const published = async (saleId: string) => good(await call<Sale>('GET', `${api}/v1/sales/${saleId}`))

/** An operator who is about to make a sale. */
async function begin(t: Test, saleId: string) {
  const operator = await openOperator(t, browser, api)
  await operator.signIn()
  await operator.button('New sale').click()
  const { page } = operator
  await page.getByLabel('Id').fill(saleId)
  await page.getByLabel('Name').fill(`The sale ${saleId}`)
  return { ...operator, paste: (csv: string) => page.getByLabel('or pasted').fill(csv), publish: page.getByRole('button', { name: /^Publish the sale/ }) }
}

void tap.test('a table is previewed with each fault by row and column, and is published once it has none', async (t) => {
  const { page, paste, publish, region, reads, complaints } = await begin(t, 'spring')
  t.ok(await publish.isDisabled(), 'there is nothing to publish yet')
  await paste('sku,name,price,allocation,quantity\nKETTLE,Kettle 🙂,24.90,100,120\nKETTLE,Another,free,,5\nSHADE,Shade,18.00,60,50')
  const preview = region('Preview')
  await preview.getByRole('status').getByText('4 faults to mend').waitFor()
  t.strictSame(await preview.getByRole('list', { name: 'Faults' }).getByRole('listitem').allTextContents(), [
    'Row 3 price must be an amount of USD such as 19.99', 'Row 3 allocation is missing', 'Row 3 sku is in row 2 already', 'Row 4 allocation is more than the quantity of 50',
  ])
  await preview.getByRole('row', { name: /^4 SHADE/ }).getByRole('cell', { name: /60 is more than the quantity of 50/ }).waitFor()
  t.ok(await publish.isDisabled())
  t.strictSame(await violations(page), [])
  await page.setViewportSize({ width: 360, height: 740 })
  t.equal(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'), 0, 'on a telephone')
  await page.setViewportSize({ width: 1_440, height: 900 })
  t.strictSame(good(await call<{ sales: Sale[] }>('GET', `${api}/v1/sales`)).sales, [], 'nothing was sent')

  await paste('sku,name,price,listPrice,allocation,quantity,maxPerCart\nKETTLE,Kettle 🙂,24.90,39.90,100,120,2\nSHADE,Shade,18.00,,50,50,')
  await preview.getByRole('status').getByText('2 items in USD, without a fault.').waitFor()
  await page.getByLabel('Units are held from').selectOption('checkout')
  await page.getByLabel('for, in seconds').fill('120')
  await publish.click()
  await reads('The sale is published.')
  t.match(await stored('KETTLE'), { name: 'Kettle 🙂', price: { amount: 3_990, currency: 'USD' }, quantity: 120 })
  t.match(await published('spring'), {
    name: 'The sale spring', status: 'open', holdAt: 'checkout', holdSeconds: 600, paymentSeconds: 120, lowStockAt: 5,
    items: [{ sku: 'KETTLE', price: { amount: 2_490 }, listPrice: { amount: 3_990 }, maxPerCart: 2, stock: { quantity: 100 } }, { sku: 'SHADE', price: { amount: 1_800 }, listPrice: null }],
  })
  t.strictSame(await violations(page), [])
  await page.getByRole('button', { name: 'Watch' }).click()
  await page.getByRole('heading', { level: 2, name: 'The sale spring' }).waitFor()
  await reads('from checkout, 120 s')
  t.strictSame(complaints, [])
})

void tap.test('a sample can be downloaded, filled in as a file, and published', async (t) => {
  const { page, publish, reads } = await begin(t, 'sample')
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'A sample to download' }).click()])
  t.equal(download.suggestedFilename(), 'sale.csv')
  const path = await download.path()
  await page.getByLabel('A CSV file').setInputFiles({ name: 'sale.csv', mimeType: 'text/csv', buffer: await import('node:fs/promises').then(({ readFile }) => readFile(path)) })
  await until('the file is read', async () => (await page.getByLabel('or pasted').inputValue()) === sampleCsv)
  await publish.click()
  await reads('The sale is published.')
  t.equal((await published('sample')).items?.length, 2)
})

void tap.test('a file that was mended can be chosen again, under its name', async (t) => {
  const { page, paste } = await begin(t, 'mended')
  const input = page.getByLabel('A CSV file')
  const pasted = page.getByLabel('or pasted')
  for (const price of ['free', '1']) {
    const csv = `sku,name,price,allocation,quantity\nMEND,Mended,${price},1,1`
    await input.setInputFiles({ name: 'sale.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) })
    await until('the file is read', async () => (await pasted.inputValue()) === csv)
    // A browser tells of a file only where it is another one than before.
    await until('none is chosen any more', async () => (await input.inputValue()) === '')
  }
  await paste('')
  t.equal(await input.inputValue(), '')
})

void tap.test('what the API refuses is told by its row; mended and published again, everything is there once', async (t) => {
  good(await call('PUT', `${api}/v1/admin/items/KNOWN`, { body: { name: 'Known', price: { amount: 100, currency: 'USD' }, quantity: 7 }, headers }))
  const { page, paste, publish, reads } = await begin(t, 'again')
  await paste('sku,name,price,allocation,quantity\nFRESH,Fresh,1,3,5\nKNOWN,Known,1,3,9')
  await publish.click()
  await reads('1 item was refused, so the sale is not published.')
  await reads(/The store has this item with another quantity/)
  t.strictSame(await violations(page), [])
  t.match(await stored('FRESH'), { quantity: 5 })
  t.equal((await call('GET', `${api}/v1/sales/again`)).status, 404)

  await paste('sku,name,price,allocation,quantity\nFRESH,Fresh,1,3,5\nKNOWN,Known,1,8,')
  await publish.click()
  await reads(/the sale is not published: More is allocated than the store has/)
  await paste('sku,name,price,allocation,quantity\nFRESH,Fresh,1,3,5\nKNOWN,Known,1,7,')
  await publish.click()
  await reads('The sale is published.')
  t.match([await stored('FRESH'), await stored('KNOWN')], [{ quantity: 5 }, { quantity: 7 }])

  await publish.click()
  await reads('The sale was there already, as it should be.')
  for (const [field, other] of [['Name', 'Another sale'], ['for, in seconds', '60'], ['Low stock at', '1']] as const) {
    const input = page.getByLabel(field)
    const [was, told] = [await input.inputValue(), page.getByText('There is another sale with this id.')]
    await input.fill(other)
    await publish.click()
    await told.waitFor()
    await input.fill(was)
    await publish.click()
    await told.waitFor({ state: 'detached' })
    await reads('The sale was there already, as it should be.')
  }
  await paste('sku,name,price,allocation,quantity,maxPerCart\nFRESH,Fresh,1,3,5,2\nKNOWN,Known,1,7,,')
  await publish.click()
  await reads('There is another sale with this id.')
})
