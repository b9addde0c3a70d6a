/** The customer's details: the fields of the form, what is wrong with them, and what becomes of them. */
import type { Customer } from '../../contract.js'
import { likelyCountry } from './countries.js'

export interface Field {
  /** As the contract calls it. */
  readonly name: string
  readonly label: string
  /** How the browser knows what to fill in. */
  readonly autocomplete: AutoFill
  readonly optional?: boolean
  /** What a keyboard on a screen shows. */
  readonly keyboard?: 'email' | 'tel'
}

export const contactFields: readonly Field[] = [
  { name: 'name', label: 'Full name', autocomplete: 'name' },
  { name: 'email', label: 'Email', autocomplete: 'email', keyboard: 'email' },
  { name: 'phone', label: 'Phone', autocomplete: 'tel', keyboard: 'tel', optional: true },
]
export const addressFields: readonly Field[] = [
  { name: 'line1', label: 'Street and number', autocomplete: 'address-line1' },
  { name: 'line2', label: 'Apartment, floor, c/o', autocomplete: 'address-line2', optional: true },
  { name: 'postalCode', label: 'Postal code', autocomplete: 'postal-code' },
  { name: 'city', label: 'City', autocomplete: 'address-level2' },
  { name: 'region', label: 'State or region', autocomplete: 'address-level1', optional: true },
  { name: 'country', label: 'Country', autocomplete: 'country' },
]
export const fields = [...contactFields, ...addressFields]

/** Most characters of a field. */
export const longestField = 200

/** By a field's name, what is in it. */
export type Details = Readonly<Record<string, string>>

/** The details stay in this tab, and only until it is closed. */
const draftName = 'flash-sale:details'

export function keptDetails(): Details {
  const empty = Object.fromEntries(fields.map(({ name }) => [name, name === 'country' ? likelyCountry() : '']))
  try {
    return { ...empty, ...(JSON.parse(sessionStorage.getItem(draftName) ?? '{}') as Details) }
  } catch {
    return empty
  }
}

export function keepDetails(details: Details): void {
  try {
    sessionStorage.setItem(draftName, JSON.stringify(details))
  } catch {
    // Then they are typed again after a reload.
  }
}

/** @returns by field, what a customer has to put right before the shop is asked */
export function faults(details: Details): Record<string, string> {
  const found: Record<string, string> = {}
  for (const { name, label, optional } of fields) {
    const value = details[name]?.trim() ?? ''
    if (value === '' && !optional) found[name] = name === 'country' ? 'Choose a country.' : `${label} is missing.`
    else if (name === 'email' && !/^[^@\s]+@[^@\s]+$/.test(value)) found[name] = 'An email address looks like name@example.com.'
  }
  return found
}

export function customerOf(details: Details): Customer {
  const text = (name: string) => details[name]?.trim() ?? ''
  const optional = (name: string) => (text(name) === '' ? {} : { [name]: text(name) })
  return {
    name: text('name'),
    email: text('email'),
    ...optional('phone'),
    address: {
      line1: text('line1'),
      ...optional('line2'),
      city: text('city'),
      ...optional('region'),
      postalCode: text('postalCode'),
      country: text('country'),
    },
  }
}
