import { readFileSync } from 'node:fs'
import tap from 'tap'
import { mutations } from './list.js'
import { apply } from './mutation.js'

const root = new URL('../../', import.meta.url)
const read = (file: string) => readFileSync(new URL(file, root), 'utf8')

tap.test('every mutation still finds what it breaks, once, and the tests that must notice', async (t) => {
  t.equal(new Set(mutations.map(({ name }) => name)).size, mutations.length, 'each has a name of its own')
  for (const { name, edits, tests } of mutations) {
    t.ok(edits.length > 0 && tests.length > 0, `${name} breaks something that something tests`)
    for (const edit of edits) t.doesNotThrow(() => apply(read(edit.file), edit), name)
    for (const test of tests) t.match(read(test), /\btest\(|\bpromise\(/, `${name}: ${test}`)
  }
})

tap.test('a mutation whose text is gone, or there twice, is an error', async (t) => {
  const edit = { file: 'any.lua', find: 'one', replace: 'two' }
  t.equal(apply('one.', edit), 'two.')
  t.throws(() => apply('none', { ...edit, find: 'many' }), /any\.lua has this 0 times/)
  t.throws(() => apply('one one', edit), /any\.lua has this 2 times/)
})
