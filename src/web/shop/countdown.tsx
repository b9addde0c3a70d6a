/** Countdowns by the shop's clock. */
import { Fragment } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { shopNow } from '../clock.js'
import { left, shortTime, twoDigits } from '../format.js'

/** @returns the shop's time, each second anew */
export function useNow(): number {
  const [now, setNow] = useState(shopNow)
  useEffect(() => {
    // Right after a second has begun, by the shop's clock.
    const timer = setTimeout(() => setNow(shopNow()), 1_005 - (shopNow() % 1_000))
    return () => clearTimeout(timer)
  }, [now])
  return now
}

/** `9:41` until a time. */
export function ShortCountdown({ until }: { readonly until: string }) {
  return <span role="timer" class="time">{shortTime(Date.parse(until) - useNow())}</span>
}

/** The large one: days where there are any, hours, minutes, seconds. */
export function Countdown({ label, until }: { readonly label: string; readonly until: string }) {
  const { days, hours, minutes, seconds } = left(Date.parse(until) - useNow())
  const parts = [...(days > 0 ? [['days', String(days)] as const] : []), ['hours', twoDigits(hours)] as const, ['min', twoDigits(minutes)] as const, ['sec', twoDigits(seconds)] as const]
  return (
    <div class="countdown">
      <p class="countdown-label">{label}</p>
      <p role="timer" class="countdown-digits">
        {parts.map(([unit, number]) => <Fragment key={unit}><span class="countdown-part"><b>{number}</b> <small>{unit}</small></span>{' '}</Fragment>)}
      </p>
    </div>
  )
}
