/** What is said about a sale beside its items. */
import type { SaleSetup } from './publish.js'

interface Props {
  readonly currency: string
  readonly onCurrency: (currency: string) => void
}

export function SaleFields({ currency, onCurrency }: Props) {
  return (
    <fieldset class="sale-fields">
      <legend>Sale</legend>
      <label>Id
        <input name="saleId" required maxLength={32} pattern="[A-Za-z0-9_\-]{1,32}" title="1 to 32 letters, digits, - or _" autoComplete="off" />
      </label>
      <label>Name
        <input name="name" required maxLength={200} autoComplete="off" />
      </label>
      <label>Currency
        <input required maxLength={3} pattern="[A-Z]{3}" title="Three capitals (ISO 4217)" value={currency} autoComplete="off"
          onInput={({ currentTarget }) => onCurrency(currentTarget.value.trim().toUpperCase())} />
      </label>
      <label><span>Starts <span class="muted">(empty: at once)</span></span>
        <input name="startsAt" type="datetime-local" />
      </label>
      <label><span>Ends <span class="muted">(empty: by hand)</span></span>
        <input name="endsAt" type="datetime-local" />
      </label>
      <label>Units are held from
        <select name="holdAt">
          <option value="cart">the cart on</option>
          <option value="checkout">checkout on</option>
        </select>
      </label>
      <label>for, in seconds
        <input name="heldSeconds" type="number" required min={1} max={86_400} step={1} defaultValue="600" />
      </label>
      <label>Low stock at
        <input name="lowStockAt" type="number" required min={0} max={1_000_000_000} step={1} defaultValue="5" />
      </label>
    </fieldset>
  )
}

/** The longest hold of a sale whose publisher said nothing, in seconds. */
const usualLongestSeconds = 1_800

SaleFields.read = (form: HTMLFormElement): SaleSetup => {
  const data = new FormData(form)
  const said = (name: string): string => String(data.get(name) ?? '').trim()
  // A local time, as it is typed, to the instant that it means here.
  const instant = (name: string) => (said(name) === '' ? {} : { [name]: new Date(said(name)).toISOString() })
  const heldSeconds = Number(said('heldSeconds'))
  return {
    saleId: said('saleId'),
    name: said('name'),
    ...instant('startsAt'),
    ...instant('endsAt'),
    // Held from checkout on, units are an order's: until it has to be paid. A cart then shows interest only.
    ...(said('holdAt') === 'checkout'
      ? { holdAt: 'checkout', paymentSeconds: heldSeconds }
      : { holdAt: 'cart', holdSeconds: heldSeconds, maxHoldSeconds: Math.max(heldSeconds, usualLongestSeconds) }),
    lowStockAt: Number(said('lowStockAt')),
  }
}
