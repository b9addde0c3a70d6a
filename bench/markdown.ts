/** Figures and tables as a reader of RESULTS.md sees them. */
import type { Spread } from './figures.js'

export function number(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

export function ranged({ median: middle, min, max }: Spread, digits: number): string {
  return `${number(middle, digits)} (${number(min, digits)}–${number(max, digits)})`
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
