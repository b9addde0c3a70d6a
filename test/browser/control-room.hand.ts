/** `npm run screenshots`: the control room while a sale runs, into docs/images. */
import { mkdir } from 'node:fs/promises'
import tap from 'tap'
import { makeDemoSale } from '../../src/cli/demo.js'
import { adminToken, startProcess, until } from '../races/processes.js'
import { openShop } from '../races/shop.js'
import { openBrowser } from './chromium.js'
import { openOperator } from './operator.js'

const folder = new URL('../../docs/images/', import.meta.url).pathname
await mkdir(folder, { recursive: true })

const { apis: [api], stores } = await openShop(tap, { workers: 1 })
await makeDemoSale({ address: api, adminToken, signal: new AbortController().signal })
const browser = await openBrowser(tap)

void tap.test('the control room amid a rehearsal, bright, dark and on a telephone', async (t) => {
  const operator = await openOperator(t, browser, api, { reducedMotion: 'reduce' })
  await operator.signIn()
  await operator.choose('12-12')
  await operator.reads('Every rule holds')
  const storm = startProcess(t, 'src/cli/storm.js', stores, { ADMIN_TOKEN: adminToken },
    ['--url', api, '--sale', '12-12', '--buyers', '3000', '--seconds', '60', '--connections', '64', '--seed', '1212'])
  const readings = operator.page.locator('.told tbody tr')
  await until('there are charts to see', async () => (await readings.count()) >= 18, 120_000)
  for (const colorScheme of ['light', 'dark'] as const) {
    await operator.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await operator.page.screenshot({ path: `${folder}control-room${colorScheme === 'light' ? '' : '-dark'}.png` })
  }
  await operator.page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  await operator.page.setViewportSize({ width: 360, height: 740 })
  await operator.page.screenshot({ path: `${folder}control-room-phone.png` })
  t.strictSame(operator.complaints, [])
  storm.kill('SIGKILL')
})
