/** What the audit says, in one word that can be read from across the room. */
import type { AuditReport } from '../../contract.js'
import { oversoldUnits, rules } from './oversold.js'
import { inWords } from './operator.js'
import type { Polled } from './polled.js'
import { count, timeOfDay } from './words.js'

export function Verdict({ audit: { value: report, refused, again } }: { readonly audit: Polled<AuditReport> }) {
  const known = report !== null && refused === null
  const is = known ? (report.ok ? 'whole' : 'broken') : 'unknown'
  return (
    <section class={`verdict card ${is}`} aria-labelledby="audit">
      <header>
        <h2 id="audit">Audit</h2>
        <p class="small">
          {report === null ? 'Not made yet' : `${refused === null ? 'As of' : 'Last made at'} ${timeOfDay(report.checkedAt)}`}
        </p>
        <button class="quiet" onClick={again}>Check now</button>
      </header>
      {/* Only what changes is read out: the time of the audit is not in here. */}
      <p role="status">
        <span class="word">OVERSOLD</span>{' '}
        <strong class="number">{known ? count(oversoldUnits(report)) : '?'}</strong>{' '}
        <span class="sentence">{sentence(report, is, refused === null ? '' : inWords(refused))}</span>
      </p>
      {report !== null && report.violations.length > 0 && (
        <ul class="violations" aria-label="What is broken">
          {report.violations.map(({ rule, sku, detail }) => (
            <li key={`${rule} ${sku} ${detail}`}>
              <b>{rule}{sku === undefined ? '' : ` ${sku}`}</b> {detail}
              {rules[rule] !== undefined && <span class="promise">{rules[rule]}.</span>}
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function sentence(report: AuditReport | null, is: 'whole' | 'broken' | 'unknown', why: string): string {
  if (is === 'unknown') return why === '' ? 'The first audit is being made.' : `The audit cannot be had: ${why}`
  if (is === 'whole') return 'Every rule holds: every unit is accounted for.'
  const broken = report!.violations.length
  return `${broken} ${broken === 1 ? 'violation' : 'violations'}: units are not where the sale says they are.`
}
