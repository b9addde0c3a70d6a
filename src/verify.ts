/**
 * Verifies a certificate, from its text alone: every hash, every counter, every total. It needs neither store, and shares
 * with the code that made the text only the shapes of its lines.
 */
import { createHash } from 'node:crypto'
import { Value } from '@sinclair/typebox/value'
import { LedgerLine } from './ledger.js'

/** What a certificate says, where it holds. */
export interface Verified {
  readonly saleId: string
  readonly entries: number
  readonly orders: number
  readonly hash: string
}

/** A certificate that does not hold. `line` counts from 1. */
export interface Broken {
  readonly line: number
  readonly fault: string
}

interface Item {
  readonly loaded: number
  adjusted: number
  sold: number
}

type Total = Extract<LedgerLine, { kind: 'total' }>

/** @param text in whatever parts it comes */
export async function verify(text: AsyncIterable<string>): Promise<Verified | Broken> {
  const items = new Map<string, Item>()
  const orders = new Set<string>()
  let [number, hash, saleId, lastId, amount, refunds] = [0, '', '', [0, 0] as const, 0, 0] as [number, string, string, readonly [number, number], number, number]
  let ended = false

  function follow(line: LedgerLine): string | null {
    if (ended) return 'nothing may follow the total'
    if ((line.kind === 'certificate') !== (number === 1)) return 'a certificate begins with one line that says so'
    if (line.kind === 'certificate') {
      saleId = line.saleId
      return null
    }
    if (line.kind === 'loaded') {
      if (lastId[0] !== 0 || items.has(line.sku)) return `${line.sku} is loaded once, before anything else`
      items.set(line.sku, { loaded: line.units, adjusted: 0, sold: 0 })
      return null
    }
    if (line.kind === 'total') {
      ended = true
      return total(line)
    }
    const id = /^(\d{1,16})-(\d{1,16})$/.exec(line.id)
    if (!id) return `${line.id} is no id`
    const next = [Number(id[1]), Number(id[2])] as const
    if (next[0] < lastId[0] || (next[0] === lastId[0] && next[1] <= lastId[1])) return `${line.id} comes too late`
    lastId = next
    if (line.kind === 'sold') {
      if (orders.has(line.order)) return 'an order was sold before'
      orders.add(line.order)
      amount += line.amount
    } else if (line.kind === 'refunded') {
      refunds += 1
    }
    return move(line)
  }

  /** Every entry: the counters add up, and are those of before but for what the entry says. */
  function move(line: Extract<LedgerLine, { kind: 'adjusted' | 'sold' | 'refunded' }>): string | null {
    for (const after of line.items) {
      const item = items.get(after.sku)
      if (!item) return `${after.sku} was never loaded`
      const units = 'units' in after ? after.units : 0
      if (line.kind === 'adjusted') item.adjusted += units
      if (line.kind === 'sold') item.sold += units
      if (Math.min(after.allocation, after.available, after.held, after.sold) < 0) return `${after.sku} has a counter below 0`
      if (after.allocation !== after.available + after.held + after.sold) {
        return `${after.sku}: of ${after.allocation} allocated, ${after.available} are available, ${after.held} held and ${after.sold} sold`
      }
      if (after.allocation !== item.loaded + item.adjusted) return `${after.sku}: ${after.allocation} are allocated, and should be ${item.loaded + item.adjusted}`
      if (after.sold !== item.sold) return `${after.sku}: ${after.sold} are sold, and should be ${item.sold}`
    }
    return null
  }

  function total(line: Total): string | null {
    if (line.orders !== orders.size) return `${line.orders} orders are told, and there are ${orders.size}`
    if (line.amount !== amount) return `${line.amount} is told to be taken, and it is ${amount}`
    if (line.refunds !== refunds) return `${line.refunds} refunds are told, and there are ${refunds}`
    if (line.items.length !== items.size) return `${line.items.length} items are told, and there are ${items.size}`
    for (const { sku, loaded, adjusted, sold, givenBack } of line.items) {
      const item = items.get(sku)
      if (!item || item.loaded !== loaded || item.adjusted !== adjusted || item.sold !== sold) return `${sku}: its totals are not those of its entries`
      if (loaded + adjusted !== sold + givenBack) return `${sku}: ${givenBack} are told to be given back, and ${loaded + adjusted - sold} are`
    }
    return null
  }

  for await (const each of linesOf(text)) {
    number += 1
    const broken = (fault: string): Broken => ({ line: number, fault })
    const [given = '', json = ''] = splitOnce(each)
    const expected = createHash('sha256').update(`${hash}\n${json}`).digest('hex')
    if (given !== expected) return broken('its hash is not that of the text until here: this line, or its hash, was changed')
    hash = expected
    const line = parse(json)
    if (line === null) return broken('it is no line of a certificate')
    const fault = follow(line)
    if (fault !== null) return broken(fault)
  }
  if (!ended) return { line: number + 1, fault: 'the text ends before its total' }
  return { saleId, entries: number - items.size - 2, orders: orders.size, hash }
}

/** Lines end with a line feed and nothing else; a last one without it comes with a NUL, which no hash is of. */
async function* linesOf(text: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const part of text) {
    const lines = (rest + part).split('\n')
    rest = lines.pop()!
    yield* lines
  }
  if (rest !== '') yield `${rest}\0`
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf(' ')
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function parse(json: string): LedgerLine | null {
  try {
    const line: unknown = JSON.parse(json)
    return Value.Check(LedgerLine, line) ? line : null
  } catch {
    return null
  }
}
