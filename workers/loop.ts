/**
 * A loop that never ends by itself: a turn that fails is told and tried again.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from '../src/log.js'

/** How long a turn that failed is waited out, in milliseconds. */
const afterFaultMs = 500

export interface Loop {
  /** Lets the turn that runs come to its end, and starts no other. */
  stop(): Promise<void>
}

/**
 * @param turn one turn; returns how many milliseconds to wait for the next
 */
export function startLoop(name: string, log: Logger, turn: () => Promise<number>): Loop {
  const stopping = new AbortController()
  let failing = false
  const running = (async () => {
    while (!stopping.signal.aborted) {
      let waitMs = afterFaultMs
      try {
        waitMs = await turn()
        failing = false
      } catch (error) {
        // Once an outage: a store that is away for an hour is one piece of news.
        if (!failing) log.error({ err: error, loop: name }, 'a turn failed, and will be tried again')
        failing = true
      }
      await pause(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}
