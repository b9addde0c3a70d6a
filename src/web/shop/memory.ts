/**
 * What outlives a reload and is shared by the tabs: the ids of the cart and of the order, and a request for a cart that has not
 * been answered yet.
 */
import type { LineRequest } from '../../contract.js'
import { newKey } from '../key.js'

export interface Memory {
  readonly cartId?: string
  readonly orderId?: string
  /** Sent again with its key after a reload, so that it takes its units once. */
  readonly pending?: { readonly key: string; readonly items: readonly LineRequest[] }
  /** Changes with every change of the cart, so that the other tabs look again. */
  readonly changed?: string
}

const nameOf = (saleId: string) => `flash-sale:${saleId}`

/** Where a browser keeps nothing, it is kept as long as the page is open. */
const kept = new Map<string, string>()

export function remembered(saleId: string): Memory {
  try {
    return JSON.parse(kept.get(nameOf(saleId)) ?? localStorage.getItem(nameOf(saleId)) ?? '{}') as Memory
  } catch {
    return {}
  }
}

/** @param change what is undefined in it is forgotten */
export function remember(saleId: string, change: { [Name in keyof Memory]?: Memory[Name] | undefined }): void {
  const text = JSON.stringify({ ...remembered(saleId), ...change, changed: newKey() })
  try {
    localStorage.setItem(nameOf(saleId), text)
    kept.delete(nameOf(saleId))
  } catch {
    kept.set(nameOf(saleId), text)
  }
}

/** Is told when another tab has remembered something. */
export function watchMemory(saleId: string, listener: () => void): void {
  addEventListener('storage', ({ key }) => {
    if (key === nameOf(saleId) || key === null) listener()
  })
}

/** Lets one tab after the other change the cart, so that two of them do not each make one. */
export async function oneTabAtATime<T>(saleId: string, work: () => Promise<T>): Promise<T> {
  // Browsers have it behind TLS and on this machine.
  if (!('locks' in navigator)) return work()
  return navigator.locks.request(nameOf(saleId), () => work())
}
