/** The operator's token: in this tab, for as long as it is open, and nowhere else. */
const place = 'flash-sale.admin-token'

/** Where a browser keeps nothing, it is kept as long as the page is open. */
let kept: string | null = null

export function keptToken(): string | null {
  try {
    return sessionStorage.getItem(place) ?? kept
  } catch {
    return kept
  }
}

export function keepToken(token: string): void {
  kept = token
  try {
    sessionStorage.setItem(place, token)
  } catch {
    // It is in `kept`.
  }
}

export function forgetToken(): void {
  kept = null
  try {
    sessionStorage.removeItem(place)
  } catch {
    // There is none.
  }
}

/** Whether a header can carry it: what cannot be sent is no token. */
export const canBeToken = (token: string): boolean => /^[\u0021-\u007e]+$/.test(token)
