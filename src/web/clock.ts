/**
 * The shop's clock, as far as its answers tell it: a customer's own may be wrong, or be set while a countdown runs. An answer's
 * `Date` is rounded down to the second, and was written between the request and the answer; each one narrows what is possible.
 */

/** What a date that is given in whole seconds leaves open, in ms. */
const roundedMs = 1_000

/** By how much the shop may be ahead of this device, in ms. */
let least = -Infinity
let most = Infinity

/** A timer that is longer fires at once. */
export const longestTimerMs = 2 ** 31 - 1

/** This device's time, which nobody can set while the page is open; in ms. */
export const deviceNow = (): number => performance.timeOrigin + performance.now()

/** @param sentMs when the request left, by `deviceNow` */
export function hearDate(date: string | null, sentMs: number): void {
  const told = Date.parse(date ?? '')
  if (Number.isNaN(told)) return
  const [low, high] = [told - deviceNow(), told + roundedMs - sentMs]
  least = Math.max(least, low)
  most = Math.min(most, high)
  // One of the clocks has been set, or this device has slept.
  if (least > most) [least, most] = [low, high]
}

/** @returns the shop's time in Unix ms */
export const shopNow = (): number => deviceNow() + (Number.isFinite(least) ? (least + most) / 2 : 0)
