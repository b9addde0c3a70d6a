/** Arrays as Postgres reads them. pg writes them as well, but asks each element what it is, and escapes every one. */

const special = /["\\]/g

/** @returns a text[]; null is NULL */
export function texts(values: readonly (string | null)[]): string {
  let array = '{'
  for (const value of values) {
    if (array.length > 1) array += ','
    array += value === null ? 'NULL' : `"${value.includes('"') || value.includes('\\') ? value.replaceAll(special, '\\$&') : value}"`
  }
  return `${array}}`
}

/** @returns a bigint[] or an integer[]; null is NULL */
export function wholes(values: readonly (number | null)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`
}
