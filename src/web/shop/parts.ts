/** What every part of the page is handed. */
import type { Shop } from './shop.js'
import type { State, Store } from './state.js'

export interface PartProps {
  readonly state: State
  readonly store: Store
  readonly actions: NonNullable<ReturnType<Shop['actions']>>
}
