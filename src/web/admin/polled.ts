/** What is asked for again and again while somebody looks at the page. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Answer, Refused } from './operator.js'

export interface Polled<T> {
  /** The last answer that there was. */
  readonly value: T | null
  /** Why there is no newer one. */
  readonly refused: Refused | null
  /** Asks at once. */
  readonly again: () => void
}

interface Heard<T> {
  readonly of: string
  readonly value: T | null
  readonly refused: Refused | null
}

/** How long it takes at most until what was refused is asked for again, in ms. */
const refusedMs = 3_000

/**
 * @param ask null where there is nothing to ask for
 * @param what tells one question from another: the answers to the one before are forgotten
 */
export function usePolled<T>(ask: (() => Promise<Answer<T>>) | null, everyMs: number, what: string): Polled<T> {
  const [heard, setHeard] = useState<Heard<T>>({ of: what, value: null, refused: null })
  const current = useRef(ask)
  current.current = ask
  const round = useRef(() => {})

  useEffect(() => {
    let over = false
    let inRound = false
    let wanted = false
    let timer = 0
    const run = async (): Promise<void> => {
      clearTimeout(timer)
      if (over || current.current === null) return
      if (inRound) {
        wanted = true
        return
      }
      // Nobody looks: nothing is asked until somebody does.
      if (document.hidden) return
      inRound = true
      wanted = false
      const answer = await current.current()
      inRound = false
      if (over) return
      setHeard((before) => ('value' in answer
        ? { of: what, value: answer.value, refused: null }
        : { of: what, value: before.of === what ? before.value : null, refused: answer.refused }))
      if (wanted) void run()
      else timer = window.setTimeout(() => void run(), 'value' in answer ? everyMs : Math.min(everyMs, refusedMs))
    }
    const look = (): void => void run()
    round.current = look
    document.addEventListener('visibilitychange', look)
    look()
    return () => {
      over = true
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [what, everyMs])

  const { value, refused } = heard.of === what ? heard : { value: null, refused: null }
  return { value, refused, again: () => round.current() }
}
