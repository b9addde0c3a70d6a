/**
 * The log. An id is a capability and a customer is nobody's business: clients' errors carry both (the
 * arguments of a Redis command, the row that a constraint refused), so an error is logged by what it says
 * and where, never with all that hangs on it. And whatever a line is made of, no id leaves in it whole.
 */
import { type DestinationStream, type Logger, pino } from 'pino'
import { redactId } from './ids.js'

export type { Logger }

// No word boundary before it: in a line of JSON an id may follow the n of an escaped line break.
const idPattern = /[cop]\.[A-Za-z0-9_-]{1,32}\.\d{1,6}\.\d{1,6}\.[A-Za-z0-9_-]{22}/g
/** @returns text without any id in full */
export const redact = (text: string): string => text.replace(idPattern, redactId)

interface DescribedError {
  readonly type: string
  readonly code?: string
  readonly message: string
  readonly stack?: string
  readonly cause?: DescribedError
}

/** @returns what a log may know of an error; `depth` bounds a chain of causes */
export function describeError(error: unknown, depth = 4): DescribedError {
  if (!(error instanceof Error)) return { type: typeof error, message: redact(String(error)) }
  return {
    type: error.name,
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    message: redact(error.message),
    ...(error.stack === undefined ? {} : { stack: redact(error.stack) }),
    ...(error.cause === undefined || depth === 0 ? {} : { cause: describeError(error.cause, depth - 1) }),
  }
}

/** @returns a log of JSON lines; on stdout, where no other destination is named */
export function createLogger(level: string, destination: DestinationStream = standardOutput()): Logger {
  const options = {
    level,
    serializers: { err: (error: unknown) => describeError(error) },
    // Not only errors: libraries put addresses into their messages, and an error without words of ours is its own.
    hooks: { streamWrite: redact },
  }
  return pino(options, destination)
}

/** Stdout, for as long as somebody reads it: a process whose reader has died does its work, and ends, all the same. */
function standardOutput(): DestinationStream {
  const stream = pino.destination({ sync: true })
  // A reader that died may be told as ECONNRESET, which pino does not take for a broken pipe; and then a flush tries for ever.
  stream.on('error', () => Object.assign(stream, { write: () => true, flushSync: () => {}, end: () => {} }))
  return stream
}
