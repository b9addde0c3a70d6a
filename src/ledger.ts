/**
 * The ledger of a sale, and the certificate that is made from it: a text in which every line carries the hash of all lines
 * until then. docs/CERTIFICATE.md describes it for whoever writes a verifier of their own; ours is in `verify.ts`, and
 * shares nothing with this file but the shapes of the lines.
 */
import { createHash } from 'node:crypto'
import { type Static, Type } from '@sinclair/typebox'
import { parseId } from './ids.js'
import type { OutboxEntry } from './outbox.js'

const Text = Type.String()
const Whole = Type.Integer({ minimum: 0 })
const Counters = { allocation: Whole, available: Whole, held: Whole, sold: Whole }

/** A line of a certificate, as JSON. Amounts are minor units of the sale's currency, times RFC 3339. */
export const LedgerLine = Type.Union([
  Type.Object({ kind: Type.Literal('certificate'), version: Type.Literal(1), saleId: Text, name: Text, currency: Text }),
  Type.Object({ kind: Type.Literal('loaded'), sku: Text, units: Whole }),
  Type.Object({ kind: Type.Literal('adjusted'), id: Text, items: Type.Array(Type.Object({ sku: Text, units: Type.Integer(), ...Counters })) }),
  Type.Object({ kind: Type.Literal('sold'), id: Text, order: Text, amount: Whole, items: Type.Array(Type.Object({ sku: Text, units: Whole, ...Counters })) }),
  Type.Object({ kind: Type.Literal('refunded'), id: Text, order: Text, amount: Whole, reason: Text, items: Type.Array(Type.Object({ sku: Text, ...Counters })) }),
  Type.Object({
    kind: Type.Literal('total'),
    closedAt: Text,
    orders: Whole,
    amount: Whole,
    refunds: Whole,
    items: Type.Array(Type.Object({ sku: Text, loaded: Whole, adjusted: Type.Integer(), sold: Whole, givenBack: Whole })),
  }),
])
export type LedgerLine = Static<typeof LedgerLine>

/** An order's id is a capability: whoever has it can find its line, and nobody can use what the line says. */
const digest = (orderId: string): string => createHash('sha256').update(orderId).digest('hex')

/** @returns what an entry says in its sale's ledger, or null where it is in none */
export function ledgerRow(entry: OutboxEntry): { saleId: string; outboxId: string; line: string } | null {
  if (entry.kind === 'unreadable') return null
  const { outboxId, counters } = entry
  const row = (saleId: string, line: LedgerLine) => ({ saleId, outboxId, line: JSON.stringify(line) })
  switch (entry.kind) {
    case 'adjusted':
      return row(entry.saleId, { kind: 'adjusted', id: outboxId, items: counters.map(({ sku, ...after }) => ({ sku, units: entry.delta, ...after })) })
    case 'paid': {
      const { orderId, saleId, totalAmount, lines } = entry.order
      const items = counters.map(({ sku, allocation, available, held, sold }) => (
        { sku, units: lines.find((line) => line.sku === sku)?.quantity ?? 0, allocation, available, held, sold }))
      return row(saleId, { kind: 'sold', id: outboxId, order: digest(orderId), amount: totalAmount, items })
    }
    case 'refund': {
      const saleId = entry.order?.saleId ?? parseId('o', entry.payment.orderId)?.saleId
      if (saleId === undefined) return null
      return row(saleId, {
        kind: 'refunded', id: outboxId, order: digest(entry.payment.orderId), amount: entry.payment.amount, reason: entry.reason, items: [...counters],
      })
    }
  }
}

/** What a certificate is about, beside its ledger. */
export interface CertifiedSale {
  readonly saleId: string
  readonly name: string
  readonly currency: string
  readonly closedAt: string
  readonly items: readonly { readonly sku: string; readonly loaded: number; readonly adjusted: number; readonly sold: number; readonly givenBack: number }[]
}

export interface Certificate {
  readonly entries: number
  readonly lastEntry: string
  /** Of the whole text: that of its last line. */
  readonly hash: string
}

/**
 * Makes a certificate, line by line.
 * @param ledger the lines of the sale's ledger, in the order of their outbox ids
 * @param write is given each line of the text, with its hash
 */
export async function certify(sale: CertifiedSale, ledger: AsyncIterable<string>, write: (line: string) => void = () => {}): Promise<Certificate> {
  let hash = ''
  let entries = 0
  let lastEntry = '0-0'
  let [orders, amount, refunds] = [0, 0, 0]
  const put = (json: string) => {
    hash = createHash('sha256').update(`${hash}\n${json}`).digest('hex')
    write(`${hash} ${json}\n`)
  }
  const say = (line: LedgerLine) => put(JSON.stringify(line))

  const { saleId, name, currency, closedAt, items } = sale
  say({ kind: 'certificate', version: 1, saleId, name, currency })
  for (const { sku, loaded } of items) say({ kind: 'loaded', sku, units: loaded })
  for await (const json of ledger) {
    put(json)
    const line = JSON.parse(json) as LedgerLine
    if ('id' in line) lastEntry = line.id
    entries += 1
    if (line.kind === 'sold') {
      orders += 1
      amount += line.amount
    } else if (line.kind === 'refunded') {
      refunds += 1
    }
  }
  say({ kind: 'total', closedAt, orders, amount, refunds, items: [...items] })
  return { entries, lastEntry, hash }
}
