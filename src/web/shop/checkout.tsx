/** Checkout: who buys, and where it goes. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Cart } from '../../contract.js'
import { HeldFor } from './basket.js'
import { countries } from './countries.js'
import { addressFields, contactFields, customerOf, type Details, faults, type Field, fields, keepDetails, keptDetails, longestField } from './details.js'
import { Summary } from './summary.js'
import type { PartProps } from './parts.js'
import type { WholeSale } from './state.js'

interface CheckoutProps extends PartProps {
  readonly sale: WholeSale
  readonly onOrdered: () => void
}

export function Checkout({ state, store, actions, sale, onOrdered }: CheckoutProps) {
  const { cart } = state
  const busy = state.busy.has('checkout')
  const [details, setDetails] = useState(keptDetails)
  const form = useRef<HTMLFormElement>(null)
  const errors = state.fieldErrors

  const change = (name: string, value: string) => {
    const next = { ...details, [name]: value }
    setDetails(next)
    keepDetails(next)
    if (errors[name] !== undefined) store.set({ fieldErrors: Object.fromEntries(Object.entries(errors).filter(([field]) => field !== name)) })
  }

  // To the first field that is off, each time that any is found.
  const [found, setFound] = useState(0)
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }, [found])

  async function submit(event: SubmitEvent, whose: Cart): Promise<void> {
    event.preventDefault()
    // What the browser filled in without an event counts as well.
    const typed = { ...details, ...(Object.fromEntries(new FormData(event.target as HTMLFormElement)) as Details) }
    setDetails(typed)
    keepDetails(typed)
    const wrong = faults(typed)
    store.set({ fieldErrors: wrong })
    if (Object.keys(wrong).length > 0) return setFound(found + 1)
    await store.busyWith('checkout', async () => {
      if (await actions.checkOut(whose, customerOf(typed))) onOrdered()
      else setFound(found + 1)
    })
  }

  if (cart === null || cart.items.length === 0) {
    return (
      <section class="panel narrow">
        <h1 tabIndex={-1} class="view-heading">Checkout</h1>
        <p>Your cart is empty. <a href="#">Choose something from the sale</a>.</p>
      </section>
    )
  }
  return (
    <div class="two-columns">
      <section class="panel" aria-labelledby="checkout-heading">
        <h1 id="checkout-heading" tabIndex={-1} class="view-heading">Checkout</h1>
        <form ref={form} noValidate onSubmit={(event) => void submit(event, cart)}>
          <FieldGroup title="Contact" its={contactFields} details={details} errors={errors} change={change} />
          <FieldGroup title="Delivery address" its={addressFields} details={details} errors={errors} change={change} />
          <p class="form-errors" role="status">{Object.keys(errors).length > 0 && `Please look at: ${labelsOf(errors)}.`}</p>
          <button type="submit" class="button button-main button-wide" aria-disabled={busy}>{busy ? 'One moment…' : 'Continue to payment'}</button>
        </form>
        <p class="back"><a href="#">Back to the sale</a></p>
      </section>
      <aside class="panel" aria-labelledby="summary-heading">
        <h2 id="summary-heading">Your items</h2>
        <HeldFor cart={cart} sale={sale} />
        <Summary lines={cart.items} total={cart.total} />
      </aside>
    </div>
  )
}

const labelsOf = (errors: Readonly<Record<string, string>>) => fields.filter(({ name }) => errors[name] !== undefined).map(({ label }) => label.toLowerCase()).join(', ')

interface GroupProps {
  readonly title: string
  readonly its: readonly Field[]
  readonly details: Details
  readonly errors: Readonly<Record<string, string>>
  readonly change: (name: string, value: string) => void
}

function FieldGroup({ title, its, details, errors, change }: GroupProps) {
  return (
    <fieldset>
      <legend>{title}</legend>
      <div class="fields">
        {its.map((field) => <Entry key={field.name} field={field} value={details[field.name] ?? ''} error={errors[field.name]} change={change} />)}
      </div>
    </fieldset>
  )
}

interface EntryProps {
  readonly field: Field
  readonly value: string
  readonly error: string | undefined
  readonly change: (name: string, value: string) => void
}

function Entry({ field: { name, label, autocomplete, optional, keyboard }, value, error, change }: EntryProps) {
  const id = `field-${name}`
  const shared = {
    id,
    name,
    autocomplete,
    required: !optional,
    'aria-invalid': error !== undefined,
    ...(error !== undefined && { 'aria-describedby': `${id}-error` }),
  } as const
  return (
    <div class={`field field-${name}`}>
      <label for={id}>{label}{optional && <small> (optional)</small>}</label>
      {name === 'country'
        ? <select {...shared} value={value} onChange={({ currentTarget }) => change(name, currentTarget.value)}>
            <option value="">Choose…</option>
            {countries.map((country) => <option key={country.code} value={country.code}>{country.name}</option>)}
          </select>
        : <input {...shared} type="text" inputMode={keyboard ?? 'text'} maxLength={longestField} value={value} onInput={({ currentTarget }) => change(name, currentTarget.value)} />}
      {error !== undefined && <p class="field-error" id={`${id}-error`}>{error}</p>}
    </div>
  )
}
