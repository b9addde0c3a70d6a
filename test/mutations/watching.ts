/** Mutations of what those who watch a sale are told, and of what they cost. */
import type { Mutation } from './mutation.js'

const events = 'src/events.ts'
const tests = ['test/contract/events.test.ts']

const told = 'Who watches a sale gets a snapshot, then only what changes'
const bounded = 'However many watch, and however slowly they read, the others are served'

export const watching: readonly Mutation[] = [
  {
    name: 'watch-changes',
    broken: 'Every item is sent again whenever one has changed',
    promise: told,
    edits: [{ file: events, find: '|| mayReturnAt !== before.mayReturnAt', replace: "|| mayReturnAt !== 'never'" }],
    tests,
  },
  {
    name: 'watch-status',
    broken: 'A pause is not told where no stock changes with it',
    promise: told,
    edits: [{ file: events, find: 'const same = items.length === 0 && now.status === before.status', replace: 'const same = items.length === 0 && true' }],
    tests,
  },
  {
    name: 'watch-reads',
    broken: 'Everyone who comes has the sale read',
    promise: bounded,
    edits: [{ file: events, find: 'started = true\n', replace: 'started = false\n' }],
    tests,
  },
  {
    name: 'watch-idle',
    broken: 'The sale is read on when the last has left',
    promise: bounded,
    edits: [{ file: events, find: 'cancelRound()\n', replace: 'void cancelRound\n' }],
    tests,
  },
  {
    name: 'watch-slow',
    broken: 'What a slow reader does not read is kept without bound',
    promise: bounded,
    edits: [{ file: events, find: 'if (outlet.writableLength <= unsentBound) {', replace: 'if (outlet.writableLength <= Infinity) {' }],
    tests,
  },
  {
    name: 'watch-drain',
    broken: 'A drain waits for those who watch',
    promise: bounded,
    edits: [{ file: 'src/routes/events.ts', find: '    feeds.end()\n', replace: '' }],
    tests: ['test/contract/events.test.ts', 'test/races/drain.test.ts'],
  },
]
