/** Lines that cannot be changed any more, and what they come to. */
import type { CartLine, Money } from '../../contract.js'
import { count, money } from '../format.js'

export function Summary({ lines, total }: { readonly lines: readonly CartLine[]; readonly total: Money }) {
  return (
    <>
      <ul class="lines">
        {lines.map(({ sku, name, quantity, lineTotal }) => (
          <li key={sku} class="line">
            <p class="line-name">{count(quantity)} × {name}</p>
            <p class="line-total">{money(lineTotal)}</p>
          </li>
        ))}
      </ul>
      <p class="total"><span>Total</span> <strong>{money(total)}</strong></p>
    </>
  )
}
