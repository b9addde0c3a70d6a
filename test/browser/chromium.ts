/** A real browser: Chromium or Chrome from the PATH, or Debian's, installed where that is possible. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, constants } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import type { Test } from 'tap'

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']
/** The first launch on a machine reads everything from its disk. */
const launchMs = 120_000
const asRoot = process.getuid?.() === 0

/** @returns a browser, closed when the test ends @throws a line that says how to get one, where there is none */
export async function openBrowser(t: Pick<Test, 'teardown'>): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: (await onPath()) ?? (await installed()),
    timeout: launchMs,
    // Chromium's own sandbox cannot be had as root.
    args: asRoot ? ['--no-sandbox'] : [],
  })
  t.teardown(() => browser.close())
  return browser
}

async function onPath(): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of names) {
      const file = join(folder, name)
      if (await access(file, constants.X_OK).then(() => true, () => false)) return file
    }
  }
  return null
}

/** Files run beside each other: the first one installs, the others wait for it, and find that it is there. */
const installOnce = 'command -v chromium || { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium; }'

async function installed(): Promise<string> {
  const debianLike = await access('/usr/bin/apt-get').then(() => true, () => false)
  if (!asRoot || !debianLike) throw new Error('these tests need a browser: put chromium or google-chrome on the PATH (on Debian: apt-get install chromium)')
  console.log('# installing chromium, which these tests need')
  const child = spawn('flock', [join(tmpdir(), 'flash-sale-chromium.lock'), 'sh', '-c', installOnce], { stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = await once(child, 'close')
  const found = await onPath()
  if (found === null) throw new Error(`chromium could not be installed (apt-get ended with ${String(code)}): put chromium or google-chrome on the PATH`)
  return found
}
