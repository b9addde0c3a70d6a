/**
 * A line to Redis that loses replies: a script has run there, and whoever sent it never hears so. It reads what passes as far
 * as to tell one command and one reply from the next, so that what is lost is just the one, whatever came with it.
 */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Test } from 'tap'
import { type Forwarder, forward, type Join } from './forwarder.js'

/** How a reply is lost: the connection breaks in its stead, or nothing comes over it any more. */
export type Manner = 'break' | 'silence'

/** The next reply of one script. */
export interface Loss {
  /** The arguments that its call had; null as long as no reply was lost. */
  readonly args: readonly string[] | null
  /** Loses nothing any more. */
  end(): void
}

export interface LossyLine extends Forwarder {
  /** Loses the next reply of the script with this digest, once Redis has given it. */
  loseReply(digest: string, manner: Manner): Loss
}

export async function lossyLine(t: Test, targetPort: number): Promise<LossyLine> {
  let next: { readonly digest: string; readonly manner: Manner; args: readonly string[] | null } | null = null

  const join: Join = (client, upstream) => {
    const commands = reader()
    const replies = reader()
    let losing: { readonly at: number; readonly args: readonly string[]; readonly loss: NonNullable<typeof next> } | null = null
    let sent = 0
    let answered = 0

    client.on('data', (bytes) => {
      for (const command of commands(bytes)) {
        const args = next === null || losing !== null ? null : argsOf(command, next.digest)
        if (next !== null && args !== null) {
          losing = { at: sent, args, loss: next }
          next = null
        }
        sent += 1
      }
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      for (const reply of replies(bytes)) {
        if (losing?.at === answered) {
          losing.loss.args = losing.args
          fallSilent(client, upstream)
          // What came before it still arrives.
          if (losing.loss.manner === 'break') client.destroySoon()
          return
        }
        // Nobody has asked for what Redis says by itself.
        if (reply[0] !== pushed) answered += 1
        client.write(reply)
      }
    })
  }

  const line = await forward(t, targetPort, join)
  return {
    ...line,
    loseReply(digest, manner) {
      const loss: NonNullable<typeof next> = { digest, manner, args: null }
      next = loss
      return {
        get args() { return loss.args },
        end() {
          if (next === loss) next = null
        },
      }
    },
  }
}

function fallSilent(client: Socket, upstream: Socket): void {
  client.removeAllListeners('data')
  upstream.removeAllListeners('data')
  client.resume()
  upstream.resume()
}

// --- The protocol of Redis, as far as to find where a value ends --------------------------------------------

const pushed = '>'.charCodeAt(0)
const lineEnd = '\r\n'

/** @returns what cuts a stream of bytes into whole values, and keeps the part of one that has come */
function reader(): (bytes: Buffer) => Generator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  return function* whole(bytes) {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    for (let end = endOf(rest, 0); end !== -1; end = endOf(rest, 0)) {
      const value = rest.subarray(0, end)
      rest = rest.subarray(end)
      yield value
    }
  }
}

/** @returns where the value ends that begins there; -1 where it has not come to its end yet */
function endOf(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(lineEnd, from)
  if (end === -1) return -1
  const [kind, size] = [bytes.toString('latin1', from, from + 1), Number(bytes.toString('latin1', from + 1, end))]
  let after = end + lineEnd.length
  if ('$=!'.includes(kind)) {
    if (size >= 0) after += size + lineEnd.length
    return after <= bytes.length ? after : -1
  }
  const inside = '*~>'.includes(kind) ? size : kind === '%' ? 2 * size : 0
  for (let i = 0; i < inside && after !== -1; i += 1) after = endOf(bytes, after)
  return after
}

/** @returns the arguments that a command gives to the script with this digest, by whichever name it calls it; null for any other command */
function argsOf(command: Buffer, digest: string): string[] | null {
  const words: string[] = []
  for (let at = command.indexOf(lineEnd) + lineEnd.length; at < command.length;) {
    const from = command.indexOf(lineEnd, at) + lineEnd.length
    at = endOf(command, at)
    words.push(command.toString('utf8', from, at - lineEnd.length))
  }
  const [name = '', script = '', keys, ...rest] = words
  const called = name.toUpperCase() === 'EVAL' ? createHash('sha1').update(script).digest('hex') : script
  if (!/^EVAL(SHA)?$/i.test(name) || called !== digest) return null
  return rest.slice(Number(keys))
}
