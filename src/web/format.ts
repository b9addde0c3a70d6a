/** Money and times for people, in the page's language. */
import type { Money } from '../contract.js'

const language = 'en'
const clock = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const day = new Intl.DateTimeFormat(language, { weekday: 'long', day: 'numeric', month: 'long', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const currencies = new Map<string, Intl.NumberFormat>()

export function money({ amount, currency }: Money): string {
  let format = currencies.get(currency)
  if (format === undefined) currencies.set(currency, (format = new Intl.NumberFormat(language, { style: 'currency', currency })))
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
}

export const count = (units: number): string => units.toLocaleString(language)

/** `12:04` @param time RFC 3339 */
export const timeOfDay = (time: string): string => clock.format(new Date(time))

/** `Saturday, December 12 at 00:00` @param time RFC 3339 */
export const dayAndTime = (time: string): string => day.format(new Date(time))

export interface Left {
  readonly days: number
  readonly hours: number
  readonly minutes: number
  readonly seconds: number
}

export function left(ms: number): Left {
  const all = Math.max(0, Math.floor(ms / 1_000))
  return { days: Math.floor(all / 86_400), hours: Math.floor(all / 3_600) % 24, minutes: Math.floor(all / 60) % 60, seconds: all % 60 }
}

export const twoDigits = (number: number): string => String(number).padStart(2, '0')

/** `9:41`, or `1:09:41` */
export function shortTime(ms: number): string {
  const { days, hours, minutes, seconds } = left(ms)
  const allHours = 24 * days + hours
  return allHours > 0 ? `${allHours}:${twoDigits(minutes)}:${twoDigits(seconds)}` : `${minutes}:${twoDigits(seconds)}`
}

/** `10 minutes`, `90 seconds` */
export function duration(seconds: number): string {
  if (seconds % 3_600 === 0) return seconds === 3_600 ? 'an hour' : `${seconds / 3_600} hours`
  if (seconds % 60 === 0) return seconds === 60 ? 'a minute' : `${seconds / 60} minutes`
  return seconds === 1 ? 'a second' : `${seconds} seconds`
}
