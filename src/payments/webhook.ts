/**
 * Signatures of payment events: `Payment-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`.
 * The time is signed too, so that an old event cannot be played again later.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** How far the signed time may be from ours, either way, in seconds. */
const toleranceSeconds = 300
/** Most signatures that one header is read for: a provider sends one a secret while a secret is rotated. */
const maxSignatures = 8

/**
 * @param header the `Payment-Signature` header as it came
 * @param body the bytes that were signed: as received, before any parsing
 * @param secrets any of them may have signed
 * @returns whether someone who knows a secret sent this body just now
 */
export function verifySignature(header: string | undefined, body: Uint8Array, secrets: readonly string[], nowSeconds: number): boolean {
  const signed = header === undefined ? null : parseSignature(header)
  if (signed === null || Math.abs(nowSeconds - Number(signed.time)) > toleranceSeconds) return false
  // Every pair is compared, whatever the first says: how long it takes tells nothing about which one matched.
  let matches = false
  for (const secret of secrets) {
    const expected = createHmac('sha256', secret).update(`${signed.time}.`).update(body).digest()
    for (const signature of signed.signatures) {
      if (timingSafeEqual(expected, signature)) matches = true
    }
  }
  return matches
}

/** @returns a header for a body, as a provider makes it: for tests and the sandbox */
export function signBody(body: string | Uint8Array, secret: string, nowSeconds: number): string {
  return `t=${nowSeconds},v1=${createHmac('sha256', secret).update(`${nowSeconds}.`).update(body).digest('hex')}`
}

/** Schemes other than `v1` are left to whoever knows them; a second time, or none, is no signature at all. */
function parseSignature(header: string): { time: string; signatures: Buffer[] } | null {
  let time: string | null = null
  const signatures: Buffer[] = []
  for (const part of header.split(',')) {
    const [, name, value = ''] = /^\s*([a-z0-9]+)=(\S*)\s*$/.exec(part) ?? []
    if (name === 't') {
      if (time !== null || !/^\d{1,12}$/.test(value)) return null
      time = value
    } else if (name === 'v1' && /^[0-9a-fA-F]{64}$/.test(value)) {
      signatures.push(Buffer.from(value, 'hex'))
    }
  }
  return time === null || signatures.length === 0 || signatures.length > maxSignatures ? null : { time, signatures }
}
