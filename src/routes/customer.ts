/**
 * What a customer says of themselves: trimmed, then held against the contract. The schema bounds what comes
 * in; only a trimmed string can be checked for what it is.
 */
import type { Customer } from '../contract.js'
import type { Refusal } from '../problems.js'

/** Most characters of a trimmed string. */
const maxLength = 200
/** What neither Postgres nor a log line can hold: control characters and lone surrogates. */
const unprintable = /[\u0000-\u001f\u007f\ud800-\udfff]/u // oxlint-disable-line no-control-regex

/** @returns the customer with every string trimmed, or the refusal that names the first one that is off */
export function trimCustomer(customer: Customer): Customer | Refusal {
  const { address, phone } = customer
  const { line2, region } = address
  const trimmed: Customer = {
    name: customer.name.trim(),
    email: customer.email.trim(),
    ...(phone === undefined ? {} : { phone: phone.trim() }),
    address: {
      line1: address.line1.trim(),
      ...(line2 === undefined ? {} : { line2: line2.trim() }),
      city: address.city.trim(),
      ...(region === undefined ? {} : { region: region.trim() }),
      postalCode: address.postalCode.trim(),
      country: address.country.trim(),
    },
  }
  const { address: where, ...person } = trimmed
  const fault = firstFault('/customer', person) ?? firstFault('/customer/address', where)
  return fault === null ? trimmed : { refused: 'invalid_request', errors: [fault] }
}

function firstFault(path: string, texts: Record<string, string>): { path: string; message: string } | null {
  for (const [name, text] of Object.entries(texts)) {
    const message = textFault(text) ?? shapeFault(name, text)
    if (message !== null) return { path: `${path}/${name}`, message }
  }
  return null
}

function textFault(text: string): string | null {
  if (text === '') return 'must not be empty'
  if (text.length > maxLength && [...text].length > maxLength) return `must NOT have more than ${maxLength} characters`
  return unprintable.test(text) ? 'must not hold control characters' : null
}

function shapeFault(name: string, text: string): string | null {
  if (name === 'email') return /^[^@]+@[^@]+$/.test(text) ? null : 'must have one @ with something on each side'
  if (name === 'country') return /^[A-Z]{2}$/.test(text) ? null : 'must be two capitals (ISO 3166-1)'
  return null
}
