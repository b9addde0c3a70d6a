/** Reads what the runner said of a mutation: a test noticed it, or nothing did, or it broke more than a promise. */

/** The first test of each file that noticed; or why that does not count. */
export type Verdict = { readonly caught: true; readonly by: readonly string[] } | { readonly caught: false; readonly why: string }

const survived = (why: string): Verdict => ({ caught: false, why })

/** What only a script says that is no script any more; the guard of the counters says INVARIANT. */
const brokenScript = /Error compiling script|user_script:\d+: (?!INVARIANT)/

/**
 * A file counts as one that noticed where an assertion failed in it while another of its tests still passed.
 * @param output what `test/run.ts` wrote
 * @param tests the files that it ran, each of which must have failed
 */
export function judge(output: string, tests: readonly string[]): Verdict {
  const count = /^(\d+) passed, (\d+) failed$/m.exec(output)
  if (output.includes('The build failed')) return survived('it does not compile')
  if (count === null) return survived('the runner ended without a count')
  if (Number(count[2]) === 0) return survived('every test passed')
  const fault = brokenScript.exec(output)
  if (fault !== null) return survived(`a script is broken, and not only a promise: ${lineAt(output, fault.index)}`)

  const lines = output.split('\n')
  const by: string[] = []
  for (const test of tests) {
    const file = lines.find((line) => line.startsWith(`FAIL ${test}: `))
    if (file === undefined) return survived(`${test} passed`)
    if (file.startsWith(`FAIL ${test}: 0 passed`)) return survived(`no test of ${test} passes any more`)
    const failed = lines.find((line) => line.startsWith(`FAIL ${test} > `) && !line.includes('timeout!'))
    if (failed === undefined) return survived(`${test} failed without an assertion that did`)
    by.push(`\`${test}\`: ${failed.split(' > ')[1]}`)
  }
  return { caught: true, by }
}

function lineAt(text: string, index: number): string {
  const from = text.lastIndexOf('\n', index) + 1
  return text.slice(from, text.indexOf('\n', index)).trim()
}
