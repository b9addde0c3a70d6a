/**
 * Builds the pages into `dist/web`: each HTML file here with the script and the style that it names, as files whose names
 * change with their content.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const source = new URL('./', import.meta.url)
const target = new URL('../../dist/web/', source)

/** What an HTML file names: `/assets/shop.js` is made of `shop.tsx`, its styles are `/assets/shop.css`. */
const namedAsset = /\/assets\/([\w.]+)/g

await rm(target, { recursive: true, force: true })
await mkdir(target, { recursive: true })
const files = await readdir(source)
const pages = files.filter((file) => file.endsWith('.html'))
const entries = pages.flatMap((page) => ['.tsx', '.css'].map((extension) => page.replace('.html', extension)))
const { metafile } = await build({
  entryPoints: [...entries, 'icon.svg'].map((file) => fileURLToPath(new URL(file, source))),
  outdir: fileURLToPath(new URL('assets/', target)),
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  loader: { '.svg': 'copy' },
  legalComments: 'none',
  metafile: true,
})

/** By the name without its hash. */
const built = new Map(Object.keys(metafile.outputs).map((path) => [basename(path).replace(/-[A-Z0-9]{8}(?=\.)/, ''), basename(path)]))
for (const page of pages) {
  const html = await readFile(new URL(page, source), 'utf8')
  await writeFile(new URL(page, target), html.replaceAll(namedAsset, (_all, name: string) => {
    const file = built.get(name)
    if (file === undefined) throw new Error(`${page} names ${name}, which nothing here is built into`)
    return `/assets/${file}`
  }))
}
