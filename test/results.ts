import { type Parser, type Result } from 'tap-parser'

export interface Tally {
  passed: number
  failed: number
  skipped: number
}

interface Node extends Tally {
  name: string
  path: string[]
  subtests: number
}

/**
 * Counts tests from what the runner reports and says each file's result, with what went wrong in it. A test is a named
 * block with no blocks inside, or a file without any. A file that fails although all its tests passed (it crashed, ran out
 * of time, or asserted something outside of them) counts as one failed test; so does a file that tests nothing.
 */
export function tally(parser: Parser, say: (line: string) => void): Tally {
  const root: Node = { name: '', path: [], passed: 0, failed: 0, skipped: 0, subtests: 0 }
  follow(parser, root, say)
  return root
}

function follow(parser: Parser, node: Node, say: (line: string) => void): void {
  let open: Node | null = null
  // What a test says of itself, its seed for one; the runner's own remarks are left out.
  parser.on('comment', (comment: string) => {
    const remark = comment.trim().replace(/^#\s*/, '')
    if (node.path.length > 1 && !/^(Subtest|time=|\{ total|failed )/.test(remark)) say(`     ${node.path.at(-1)}: ${remark}`)
  })
  parser.on('child', (child: Parser) => {
    open = { name: child.name, path: [...node.path, child.name], passed: 0, failed: 0, skipped: 0, subtests: 0 }
    node.subtests += 1
    follow(child, open, say)
  })
  parser.on('assert', (result: Result) => {
    // A block's own result follows the block.
    const block: Node | null = open
    open = null
    if (block === null) {
      if (result.skip || result.todo) node.skipped += 1
      else if (!result.ok) say(describe([...node.path, result.name], result))
      return
    }
    conclude(block, result)
    node.passed += block.passed
    node.failed += block.failed
    node.skipped += block.skipped
    if (node.path.length === 0) sayFile(block, result, say)
  })
}

function conclude(block: Node, result: Result): void {
  if (result.skip === 'no tests found') block.failed += 1
  else if (result.skip || result.todo) block.skipped += 1
  else if (!result.ok && block.failed === 0) block.failed += 1
  else if (result.ok && block.subtests === 0) block.passed += 1
}

function sayFile(file: Node, result: Result, say: (line: string) => void): void {
  const { passed, failed, skipped } = file
  const counts = [`${passed} passed`, ...(failed ? [`${failed} failed`] : []), ...(skipped ? [`${skipped} skipped`] : [])]
  say(`${failed ? 'FAIL' : 'ok  '} ${file.name}: ${counts.join(', ')}${result.time ? ` (${(result.time / 1000).toFixed(1)} s)` : ''}`)
  if (!failed) return
  const { exitCode, signal, reason, error } = (result.diag ?? {}) as Record<string, unknown>
  const ending = [reason ?? error, signal && `ended by ${String(signal)}`, exitCode && `exit code ${String(exitCode)}`, result.skip].filter(Boolean)
  if (ending.length > 0) say(`     ${ending.join(', ')}`)
}

function describe(path: string[], { diag }: Result): string {
  const { diff, found, wanted, error, stack, at } = (diag ?? {}) as Record<string, unknown>
  const place = at as { fileName?: string; lineNumber?: number } | undefined
  const details = [
    place?.fileName && `at ${place.fileName}:${place.lineNumber ?? ''}`,
    diff ?? (found === undefined && wanted === undefined ? null : `found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`),
    error && (typeof error === 'string' ? error : JSON.stringify(error)),
    stack,
  ]
  const lines = details.filter(Boolean).flatMap((detail) => String(detail).trimEnd().split('\n'))
  return [`FAIL ${path.join(' > ')}`, ...lines.map((line) => `     ${line}`)].join('\n')
}
