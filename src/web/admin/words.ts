/** Numbers and times as an operator reads them. */
const whole = new Intl.NumberFormat('en')
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' })

export const count = (number: number): string => whole.format(number)
export const units = (number: number): string => `${whole.format(number)} ${Math.abs(number) === 1 ? 'unit' : 'units'}`
export const rounded = (number: number | null): string => (number === null ? '–' : short.format(number))
export const timeOfDay = (time: string | number): string => clock.format(new Date(time))
export const dayAndTime = (time: string): string => day.format(new Date(time))
