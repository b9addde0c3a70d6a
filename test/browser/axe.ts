/** What axe-core holds against a page as it stands: its accessibility, as far as a machine can tell. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const source = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Violation {
  readonly id: string
  readonly help: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

/** @returns every violation, in bright and in dark, in words */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(await source)
  const found: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const results = await page.evaluate<Violation[]>('axe.run().then(({ violations }) => violations)')
    for (const { id, help, nodes } of results) {
      for (const { html, failureSummary } of nodes) found.push(`${colorScheme}: ${id} (${help}) ${html} ${failureSummary ?? ''}`)
    }
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null })
  return found
}
