/**
 * What rounds come to. Figures are compared within a pair of rounds, one right after the other, so that whatever
 * else the machine does weighs on both.
 */

/** The middle of what was measured, with its range. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('there is no median of nothing')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** @returns the ratios of `ours` to `theirs`, pair by pair */
export function ratios<Round>(ours: readonly Round[], theirs: readonly Round[], figure: (round: Round) => number): Spread {
  if (ours.length !== theirs.length) throw new RangeError('every round needs its pair')
  return spread(ours.map((round, i) => figure(round) / figure(theirs[i]!)))
}

/** A figure that was promised, and what came of it. */
export interface Reach {
  readonly what: string
  readonly bound: { readonly atLeast: number } | { readonly atMost: number }
  readonly unit: string
  readonly measured: Spread
}

export function isReached({ bound, measured }: Reach): boolean {
  return 'atLeast' in bound ? measured.median >= bound.atLeast : measured.median <= bound.atMost
}

/** The run does not count: what it left behind is not what it should be. */
export class DoesNotCount extends Error {
  override readonly name = 'DoesNotCount'
}

export function mustBe(what: string, found: number | string | boolean, expected: number | string | boolean): void {
  if (found !== expected) throw new DoesNotCount(`${what}: ${String(found)}, and should be ${String(expected)}`)
}
