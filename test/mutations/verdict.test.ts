import tap from 'tap'
import { judge } from './verdict.js'

const file = 'test/a.test.ts'
const noticed = [`FAIL ${file} > nothing is sold twice > should be equal`, '     found 2, wanted 1', `FAIL ${file}: 3 passed, 1 failed (1.0 s)`, '3 passed, 1 failed'].join('\n')

tap.test('a mutation is caught where an assertion fails, by the test that it is in', async (t) => {
  t.strictSame(judge(noticed, [file]), { caught: true, by: [`\`${file}\`: nothing is sold twice`] })
  t.match(judge(`ReplyError: ERR user_script:9: INVARIANT A: allocation 1\n${noticed}`, [file]), { caught: true }, 'the guard is one who notices')
})

for (const [what, output, why] of [
  ['passes every test', `ok   ${file}: 4 passed (1.0 s)\n4 passed, 0 failed`, /every test passed/],
  ['does not compile', 'a.ts(1,1): error TS1005\nError: The build failed, so nothing was tested.\n0 passed, 1 failed', /does not compile/],
  ['leaves a script that does not load', `     ERR Error compiling script (new function): user_script:3: '=' expected\n${noticed}`, /a script is broken.*user_script:3/],
  ['leaves a script that fails on the way', `     ERR user_script:30: attempt to index a nil value\n${noticed}`, /a script is broken.*attempt to index/],
  ['leaves no test of a file that passes', noticed.replaceAll('3 passed', '0 passed'), /no test of .* passes/],
  ['runs out of time', `FAIL ${file} > timeout!\nFAIL ${file}: 3 passed, 1 failed\n     timeout\n3 passed, 1 failed`, /without an assertion/],
  ['breaks the runner', 'no servers', /without a count/],
] as const) {
  tap.test(`a mutation that ${what} is not caught`, async (t) => {
    const verdict = judge(output, [file])
    t.match(verdict, { caught: false, why })
  })
}

tap.test('a mutation is not caught before every file that must notice does', async (t) => {
  t.match(judge(`${noticed}\nok   test/b.test.ts: 2 passed`, [file, 'test/b.test.ts']), { caught: false, why: /test\/b\.test\.ts passed/ })
})
