/** One chart over time: lines for who sees them, the latest numbers as text for everybody. */
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { rounded, timeOfDay } from './words.js'

export interface Line {
  readonly label: string
  /** A colour of the theme, and how the line is dashed: colour alone tells nobody. */
  readonly colour: '--line-1' | '--line-2'
  readonly dash?: readonly number[]
  /** Of an axis of its own, on the right. */
  readonly right?: boolean
}

interface Props {
  readonly title: string
  readonly unit: string
  readonly lines: readonly Line[]
  /** Unix seconds, oldest first. */
  readonly times: readonly number[]
  /** One list a line. */
  readonly values: readonly (readonly (number | null)[])[]
  readonly children?: preact.ComponentChildren
}

const height = 150
/** What is seen at the least, in seconds: a few readings do not fill it. */
const spanSeconds = 60
const axisFont = '11px system-ui, sans-serif'

export function Chart({ title, unit, lines, times, values, children }: Props) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const data = [[...times], ...values.map((its) => [...its])] as uPlot.AlignedData

  useEffect(() => {
    const element = place.current!
    const its = new uPlot(optionsOf(lines, element.clientWidth), data, element)
    plot.current = its
    const resize = new ResizeObserver(() => its.setSize({ width: element.clientWidth, height }))
    resize.observe(element)
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const redraw = (): void => its.redraw(false, true)
    scheme.addEventListener('change', redraw)
    return () => {
      scheme.removeEventListener('change', redraw)
      resize.disconnect()
      its.destroy()
    }
  }, [])
  useEffect(() => plot.current?.setData(data), [times])

  const id = `chart-${title.replaceAll(/\W+/g, '-')}`
  return (
    <section class="chart card" aria-labelledby={id}>
      <header>
        <h3 id={id}>{title} <span class="muted">{unit}</span></h3>
        {children}
      </header>
      <dl class="latest">
        {lines.map(({ label, colour, dash }, i) => (
          <div key={label}>
            <dt><svg viewBox="0 0 20 4" width="20" height="4" aria-hidden="true"><line x1="0" y1="2" x2="20" y2="2" class={colour.slice(2)} stroke-dasharray={dash?.join(' ')} /></svg>{label}</dt>
            <dd>{rounded(values[i]?.at(-1) ?? null)}</dd>
          </div>
        ))}
      </dl>
      <div ref={place} class="plot" role="img" aria-label={`${title} over time; the latest numbers are above`} />
    </section>
  )
}

function optionsOf(lines: readonly Line[], width: number): uPlot.Options {
  const ofTheme = (name: string) => () => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const axis = { stroke: ofTheme('--muted'), grid: { stroke: ofTheme('--line'), width: 1 }, ticks: { show: false }, font: axisFont }
  const vertical = { ...axis, size: 44, values: (_plot: uPlot, ticks: number[]) => ticks.map((tick) => rounded(tick)) }
  // Never below nothing, and never without height.
  const range: uPlot.Range.Function = (_plot, _low, high) => [0, Math.max(1, (high ?? 0) * 1.1)]
  return {
    width, height,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 4, 0, 0],
    scales: { x: { time: true, range: span }, y: { range }, right: { range } },
    axes: [
      { ...axis, size: 28, space: 70, values: (_plot, ticks) => ticks.map((tick) => timeOfDay(tick * 1_000)) },
      vertical,
      ...(lines.some(({ right }) => right) ? [{ ...vertical, scale: 'right', side: 1 as const, grid: { show: false } }] : []),
    ],
    series: [{}, ...lines.map(({ label, colour, dash, right }) => ({
      label, stroke: ofTheme(colour), width: 2, points: { show: false }, scale: right ? 'right' : 'y', ...(dash === undefined ? {} : { dash: [...dash] }),
    }))],
  }
}

const span: uPlot.Range.Function = (plot, first) => {
  const to = plot.data[0].at(-1) ?? Date.now() / 1_000
  return [Math.min(first ?? to, to - spanSeconds), to]
}
