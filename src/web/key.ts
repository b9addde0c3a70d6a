/** @returns a key for one call and its repetitions; also where the page is served without TLS, and `crypto.randomUUID` is missing */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
