/**
 * A loop that never ends by itself: a turn that fails is told and tried again.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Shard } from '../src/keys.js'
import type { Logger } from '../src/log.js'

/** How long a turn that failed is waited out, in milliseconds. */
const afterFaultMs = 500

export interface Loop {
  /** Lets the turn that runs come to its end, and starts no other. */
  stop(): Promise<void>
}

/**
 * @param turn one turn; returns how many milliseconds to wait for the next. One of many steps ends early where the signal is aborted
 */
export function startLoop(name: string, log: Logger, turn: (signal: AbortSignal) => Promise<number>): Loop {
  const stopping = new AbortController()
  let failing = false
  const running = (async () => {
    while (!stopping.signal.aborted) {
      let waitMs = afterFaultMs
      try {
        waitMs = await turn(stopping.signal)
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

/** @returns what does a loop's work for one shard: a fault is told once an outage, and keeps no other shard waiting */
export function createAttempts(name: string, log: Logger): (shard: Shard, work: () => Promise<void>) => Promise<void> {
  const failing = new Set<string>()
  return async ({ saleId }, work) => {
    try {
      await work()
      failing.delete(saleId)
    } catch (error) {
      if (failing.size === failing.add(saleId).size) return
      log.error({ err: error, loop: name, saleId }, 'a turn failed, and will be tried again')
    }
  }
}
