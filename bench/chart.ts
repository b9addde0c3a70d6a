/** Bars, as SVG: an image that a README can show, in light and dark. */
import type { Spread } from './figures.js'
import { number } from './markdown.js'

export interface Bar {
  readonly label: string
  /** Its bar ends at the median; a line goes from the least to the most. */
  readonly value: Spread
  /** Of the engine, or of what it is compared with. */
  readonly ours: boolean
}

export interface Chart {
  readonly title: string
  /** What a bar counts: the words after its figure. */
  readonly unit: string
  readonly digits: number
  readonly bars: readonly Bar[]
  /** Where a bar should end at least. */
  readonly goal?: number
}

const barsWidth = 380
const figureWidth = 110
/** What a character of a label takes at most, on average, in pixels. */
const characterWidth = 7.2
const rowHeight = 30
const barHeight = 16
const headHeight = 44

const style = [
  'text { font: 14px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 16px }',
  '.ours { fill: #c2410c } .theirs { fill: #8b949e } .range { stroke: #1f2328; stroke-width: 1.5 } .goal { stroke: #1a7f37; stroke-width: 2; stroke-dasharray: 4 3 }',
  '@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .ours { fill: #fb923c } .theirs { fill: #6e7681 } .range { stroke: #e6edf3 } .goal { stroke: #3fb950 } }',
].join(' ')

/** @returns the chart as the text of an SVG file */
export function barChart({ title, unit, digits, bars, goal }: Chart): string {
  const labelWidth = Math.ceil(Math.max(...bars.map(({ label }) => label.length)) * characterWidth) + 24
  const width = labelWidth + barsWidth + figureWidth
  const most = Math.max(goal ?? 0, ...bars.map(({ value }) => value.max))
  const x = (value: number) => (labelWidth + (value / most) * barsWidth).toFixed(1)
  const height = headHeight + bars.length * rowHeight + 8
  const rows = bars.flatMap(({ label, value, ours }, i) => {
    const top = headHeight + i * rowHeight
    const middle = top + barHeight / 2
    return [
      `<text x="${labelWidth - 10}" y="${middle + 5}" text-anchor="end">${escape(label)}</text>`,
      `<rect class="${ours ? 'ours' : 'theirs'}" x="${labelWidth}" y="${top}" width="${(Number(x(value.median)) - labelWidth).toFixed(1)}" height="${barHeight}" rx="2"/>`,
      `<line class="range" x1="${x(value.min)}" x2="${x(value.max)}" y1="${middle}" y2="${middle}"/>`,
      `<text x="${width - figureWidth + 8}" y="${middle + 5}">${number(value.median, digits)}${escape(unit)}</text>`,
    ]
  })
  const line = goal === undefined ? [] : [`<line class="goal" x1="${x(goal)}" x2="${x(goal)}" y1="${headHeight - 8}" y2="${height - 6}"/>`]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(title)}">`,
    `<style>${style}</style>`,
    `<text class="title" x="10" y="24">${escape(title)}</text>`,
    ...rows,
    ...line,
    '</svg>',
    '',
  ].join('\n')
}

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
