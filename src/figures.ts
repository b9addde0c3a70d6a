/**
 * What an operator watches, read out of what the API tells Prometheus: so that several processes on one port are one, and
 * nothing is counted twice.
 */
import type { SaleFigures } from './contract.js'

type Figures = Omit<SaleFigures, 'readAt' | 'items'>
type Labels = Readonly<Record<string, string>>

interface Series {
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

/** The routes whose durations are told, by the call that they are to an operator. */
const callsOf: Readonly<Record<string, SaleFigures['latency'][number]['call']>> = {
  'POST /v1/sales/:saleId/carts': 'hold',
  'PUT /v1/carts/:cartId/items/:sku': 'hold',
  'POST /v1/carts/:cartId/checkout': 'checkout',
  'POST /v1/orders/:orderId/payments': 'payment',
}
const payingRoute = '/v1/orders/:orderId/payments'
const duration = 'flash_sale_http_request_duration_seconds'

/** @param text metrics in Prometheus' text format */
export function readFigures(text: string, saleId: string): Figures {
  const series = text.split('\n').flatMap(parseSeries)
  const all = (name: string, wanted: Labels = {}) =>
    series.filter((one) => one.name === name && Object.entries(wanted).every(([label, value]) => one.labels[label] === value))
  const sum = (name: string, wanted: Labels) => all(name, wanted).reduce((total, { value }) => total + value, 0)
  const answered = (status: string) => sum('flash_sale_http_requests_total', { method: 'POST', route: payingRoute, status })
  const ofSale = (name: string) => all(name, { sale: saleId })[0]?.value

  const entries = ofSale('flash_sale_outbox_length')
  const holds = all('flash_sale_holds_total')
  return {
    outbox: entries === undefined ? null : {
      entries, oldestSeconds: ofSale('flash_sale_outbox_oldest_seconds') ?? 0, persistedOrders: ofSale('flash_sale_orders_persisted_total') ?? 0,
    },
    holds: {
      taken: sum('flash_sale_holds_total', { result: 'taken' }),
      refused: holds.flatMap(({ labels: { result = '' }, value }) => (result === 'taken' ? [] : [{ code: result, count: value }])),
    },
    payments: { succeeded: answered('200'), pending: answered('202'), declined: answered('402') },
    latency: (['hold', 'checkout', 'payment'] as const).map((call) => {
      const its = series.filter(({ labels }) => callsOf[`${labels['method']} ${labels['route']}`] === call)
      return { call, ...histogram(its) }
    }),
  }
}

/** @returns the histogram of all series together: of one call, there may be several routes */
function histogram(series: readonly Series[]): Pick<SaleFigures['latency'][number], 'count' | 'buckets'> {
  const counts = new Map<number, number>()
  let count = 0
  for (const { name, labels, value } of series) {
    if (name === `${duration}_count`) count += value
    if (name !== `${duration}_bucket` || labels['le'] === '+Inf') continue
    const atMostSeconds = Number(labels['le'])
    counts.set(atMostSeconds, (counts.get(atMostSeconds) ?? 0) + value)
  }
  const buckets = [...counts].map(([atMostSeconds, its]) => ({ atMostSeconds, count: its }))
  return { count, buckets: buckets.toSorted((a, b) => a.atMostSeconds - b.atMostSeconds) }
}

/** The lines that the figures need; most of a scrape are others. */
const neededLine = /^(flash_sale_(?:holds_total|http_request|outbox_|orders_persisted_)\w*)\{(.*)\} (\S+)$/

function parseSeries(line: string): Series[] {
  const match = neededLine.exec(line)
  if (match === null) return []
  const labels = Object.fromEntries([...match[2]!.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, value]) => [label!, value!]))
  return [{ name: match[1]!, labels, value: Number(match[3]) }]
}
