/**
 * Arrays in Postgres' binary form (`array_recv` in its arrayfuncs.c): nothing is escaped here and nothing unescaped there, and an
 * order has three dozen columns. All numbers are big-endian: dimensions (1), whether any is NULL, the type of the elements, how
 * many there are, the index of the first (1); then the length of each element, -1 for NULL, and its bytes.
 */

const headBytes = 20
const lengthBytes = 4
const bigintBytes = 8
/** The types of elements in Postgres' catalogue. */
const types = { text: 25, bigint: 20 } as const

/** A value that no column can hold: what it is of can never be written. */
export class UnwritableValue extends Error {
  override readonly name = 'UnwritableValue'
}

function makeArray(values: readonly unknown[], type: keyof typeof types, bytes: number): Buffer {
  const array = Buffer.allocUnsafe(headBytes + values.length * lengthBytes + bytes)
  const head = [1, values.includes(null) ? 1 : 0, types[type], values.length, 1]
  head.forEach((number, i) => array.writeInt32BE(number, 4 * i))
  return array
}

/** @returns a text[]; null is NULL @throws UnwritableValue */
export function texts(values: readonly (string | null)[]): Buffer {
  let bytes = 0
  for (const value of values) {
    if (typeof value === 'string') bytes += Buffer.byteLength(value)
    else if (value !== null) throw new UnwritableValue(`a text is a ${typeof value}`)
  }
  const array = makeArray(values, 'text', bytes)
  let at = headBytes
  for (const value of values) {
    const length = value === null ? 0 : array.write(value, at + lengthBytes)
    array.writeInt32BE(value === null ? -1 : length, at)
    at += lengthBytes + length
  }
  return array
}

/** @returns a bigint[]; null is NULL @throws UnwritableValue */
export function wholes(values: readonly (number | null)[]): Buffer {
  const array = makeArray(values, 'bigint', values.length * bigintBytes)
  let at = headBytes
  for (const value of values) {
    if (value === null) {
      at = array.writeInt32BE(-1, at)
      continue
    }
    if (!Number.isSafeInteger(value)) throw new UnwritableValue('a number is not whole, or not below 2^53')
    at = array.writeInt32BE(bigintBytes, at)
    const high = Math.floor(value / 2 ** 32)
    at = array.writeInt32BE(high, at)
    at = array.writeUInt32BE(value - high * 2 ** 32, at)
  }
  return array.subarray(0, at)
}
