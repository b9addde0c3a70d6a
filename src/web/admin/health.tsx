/** What the engine stands on, each named and told in words. */
import type { Static } from '@sinclair/typebox'
import type { Readiness } from '../../contract.js'
import type { Polled } from './polled.js'
import { count } from './words.js'

export type Health = Static<typeof Readiness>

export function HealthStrip({ health: { value, refused } }: { readonly health: Polled<Health> }) {
  const health = refused === null ? value : toldIn(refused)
  const parts: [string, boolean | null][] = [['Redis', health?.redis ?? null], ['Postgres', health?.postgres ?? null], ['Workers', health?.worker ?? null]]
  const dead = health?.deadOrders ?? 0
  return (
    <ul class="health" aria-label="What the engine stands on">
      {parts.map(([name, is]) => <li key={name} class={is === null ? 'unknown' : is ? 'good' : 'bad'}>{name} <b>{is === null ? 'unknown' : is ? 'there' : 'away'}</b></li>)}
      {dead > 0 && <li class="bad">Dead orders <b>{count(dead)}</b></li>}
    </ul>
  )
}

/** @returns what a refusal tells of the parts, since one of them is away; null where nobody answered */
const toldIn = (refused: object): Omit<Health, 'status'> | null => ('redis' in refused ? refused as Omit<Health, 'status'> : null)
