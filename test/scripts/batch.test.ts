import { setImmediate as turn } from 'node:timers/promises'
import tap, { type Test } from 'tap'
import { batchBound, type BatcherOptions, createBatcher, queueBound, secondCallAt, shed } from '../../src/engine/batch.js'
import { freshEngine, publishSale } from '../redis.js'

interface Call {
  readonly requests: readonly string[]
  /** Answers every request with `OK <request>`, or as told. */
  answer(reply?: (request: string) => string): void
  /** Answers with whatever is given. */
  give(reply: unknown): void
  fail(error: Error): void
}

/** A batcher whose calls the test answers, one by one. */
function setUp(t: Test, options: Partial<BatcherOptions> = {}) {
  const calls: Call[] = []
  const sizes: number[] = []
  let idle = 0
  const batcher = createBatcher({
    send: (requests) =>
      new Promise((give, fail) => {
        const answer = (reply = (request: string) => `OK ${request}`) => give(['7', ...requests.map(reply)])
        calls.push({ requests, answer, give, fail })
      }),
    onBatch: (size) => sizes.push(size),
    onIdle: () => void (idle += 1),
    ...options,
  })
  t.teardown(() => calls.forEach((call) => call.answer()))
  const submit = (count: number, name = 'r') => Array.from({ length: count }, (_, i) => batcher.submit(`${name}${i}`))
  return { batcher, calls, sizes, submit, idle: () => idle }
}

tap.test('all requests of one turn of the event loop go as one call, and each gets its own reply', async (t) => {
  const { calls, submit, sizes } = setUp(t)
  const replies = submit(3)
  t.equal(calls.length, 0, 'not before the turn is over')
  await turn()
  t.strictSame(calls.map(({ requests }) => requests), [['r0', 'r1', 'r2']])
  calls[0]!.answer()
  t.strictSame(await Promise.all(replies), ['r0', 'r1', 'r2'].map((request) => ({ words: `OK ${request}`, epoch: 7 })))
  t.strictSame(sizes, [3])
})

tap.test('no call carries more than the bound, at most two are on their way, and the order is kept', async (t) => {
  const { calls, submit, sizes } = setUp(t)
  const replies = submit(3 * batchBound + 1)
  for (let i = 0; i < 5; i += 1) await turn()
  t.equal(calls.length, 2)
  calls[1]!.answer()
  for (let i = 0; i < 5; i += 1) await turn()
  t.equal(calls.length, 3, 'another goes when one is back')
  calls[0]!.answer()
  calls[2]!.answer()
  for (let i = 0; i < 5; i += 1) await turn()
  calls[3]!.answer()
  await Promise.all(replies)
  t.strictSame(sizes, [batchBound, batchBound, batchBound, 1])
  t.equal(batchBound, 256)
  t.strictSame(calls.flatMap(({ requests }) => requests), Array.from({ length: 3 * batchBound + 1 }, (_, i) => `r${i}`))
})

tap.test('while one call is on its way, few requests wait for it, and many go at once', async (t) => {
  const { calls, submit } = setUp(t)
  submit(1)
  await turn()
  submit(secondCallAt - 1, 'few')
  for (let i = 0; i < 5; i += 1) await turn()
  t.equal(calls.length, 1)
  submit(1, 'enough')
  await turn()
  t.strictSame(calls.map(({ requests }) => requests.length), [1, secondCallAt])
  submit(secondCallAt, 'more')
  for (let i = 0; i < 5; i += 1) await turn()
  t.equal(calls.length, 2, 'and never a third')
  calls[0]!.answer()
  for (let i = 0; i < 5; i += 1) await turn()
  t.equal(calls.length, 3)
})

tap.test('beyond the queue’s bound a request is shed at once; those that wait are served', async (t) => {
  const { calls, submit } = setUp(t)
  const replies = submit(queueBound)
  const [late] = submit(1, 'late')
  t.equal(await late, shed)
  const serve = async () => {
    for (let served = 0; served < queueBound / batchBound; served += 1) {
      while (calls[served] === undefined) await turn()
      calls[served]!.answer()
    }
  }
  const [all] = await Promise.all([Promise.all(replies), serve()])
  t.ok(all.every((reply) => reply !== shed && reply !== null))
  const [next] = submit(1, 'next')
  while (calls.at(-1)!.requests[0] !== 'next0') await turn()
  calls.at(-1)!.answer()
  t.match(await next, { words: 'OK next0' })
})

tap.test('a call that fails rejects all its requests and none of another’s', async (t) => {
  const { calls, submit } = setUp(t)
  const first = submit(3, 'a')
  await turn()
  const second = submit(secondCallAt, 'b')
  await turn()
  const settled = Promise.allSettled(first)
  calls[0]!.fail(new Error('cut'))
  calls[1]!.answer()
  for (const one of await settled) t.match(one, { status: 'rejected', reason: { message: 'cut' } })
  t.ok((await Promise.all(second)).every((reply, i) => typeof reply === 'object' && reply?.words === `OK b${i}`))
  const [third] = submit(1, 'c')
  while (calls.length < 3) await turn()
  calls[2]!.answer()
  t.match(await third, { words: 'OK c0' }, 'and the next call goes as ever')
})

tap.test('a reply out of its form is an error for every request of its call, never somebody else’s answer', async (t) => {
  for (const reply of [null, 'OK', [], ['7'], ['7', 'OK a', 'OK b'], ['7', 1]]) {
    const { calls, submit } = setUp(t)
    const [one] = submit(1)
    await turn()
    calls[0]!.give(reply)
    await t.rejects(one!, { message: /out of its form/ }, JSON.stringify(reply))
  }
})

tap.test('requests that change nothing and are the same share one answer, but never one that was on its way before', async (t) => {
  const { batcher, calls, sizes } = setUp(t, { collapse: true })
  const crowd = Array.from({ length: 9_000 }, (_, i) => batcher.submit(i % 2 === 0 ? 'even' : 'odd'))
  await turn()
  const late = batcher.submit('even')
  calls[0]!.answer()
  while (calls.length < 2) await turn()
  t.strictSame(calls.map(({ requests }) => requests), [['even', 'odd'], ['even']])
  calls[1]!.answer(() => 'OK later')
  const replies = await Promise.all(crowd)
  t.ok(replies.every((reply, i) => reply === replies[i % 2]))
  t.match(replies.slice(0, 2), [{ words: 'OK even' }, { words: 'OK odd' }])
  t.match(await late, { words: 'OK later' })
  t.strictSame(sizes, [2, 1])
})

tap.test('requests that change something are each sent, the same or not', async (t) => {
  const { batcher, calls } = setUp(t)
  const replies = [batcher.submit('same'), batcher.submit('same')]
  await turn()
  t.strictSame(calls[0]!.requests, ['same', 'same'])
  calls[0]!.answer()
  await Promise.all(replies)
})

tap.test('where Redis does not know the sale, every request hears so', async (t) => {
  const { calls, submit } = setUp(t)
  const replies = submit(2)
  await turn()
  calls[0]!.give('NO_SALE')
  t.strictSame(await Promise.all(replies), [null, null])
})

tap.test('a request that is told to come again is the first of the next call', async (t) => {
  const steps: string[] = []
  const { calls, submit } = setUp(t, { beforeAgain: async () => void steps.push('swept') })
  const first = submit(3, 'a')
  await turn()
  const second = submit(1, 'b')
  calls[0]!.answer((request) => (request === 'a1' ? 'OK a1' : 'MORE'))
  t.match(await first[1], { words: 'OK a1' }, 'the others have their replies')
  while (calls.length < 2) await turn()
  t.strictSame(calls[1]!.requests, ['a0', 'a2', 'b0'])
  t.strictSame(steps, ['swept'], 'once the way was cleared')
  calls[1]!.answer()
  t.match(await Promise.all([...first, ...second]), [{ words: 'OK a0' }, { words: 'OK a1' }, { words: 'OK a2' }, { words: 'OK b0' }])
})

tap.test('where the way cannot be cleared, those that wait for it fail, and nobody hangs', async (t) => {
  const { calls, submit } = setUp(t, { beforeAgain: () => Promise.reject(new Error('away')) })
  const replies = submit(2)
  await turn()
  const settled = Promise.allSettled(replies)
  calls[0]!.answer((request) => (request === 'r0' ? 'MORE' : 'OK r1'))
  t.match(await settled, [{ status: 'rejected', reason: { message: 'away' } }, { status: 'fulfilled', value: { words: 'OK r1' } }])
})

tap.test('a batcher is idle when nothing waits and nothing is on its way', async (t) => {
  const { calls, submit, idle } = setUp(t)
  const first = submit(1)
  await turn()
  const second = submit(1)
  calls[0]!.answer()
  await first[0]
  t.equal(idle(), 0)
  while (calls.length < 2) await turn()
  calls[1]!.answer()
  await second[0]
  await turn()
  t.equal(idle(), 1)
})

tap.test('over a real Redis, a crowd goes in few calls, and the malformed among them refuse themselves only', async (t) => {
  const sizes: number[] = []
  const { engine } = await freshEngine(t, { onBatch: (script, size) => script === 'hold' && sizes.push(size) })
  const { saleId } = await publishSale(engine, { items: { A: 1_000 } })
  const crowd = Array.from({ length: 600 }, (_, i) => engine.createCart(saleId, [{ sku: i % 3 === 0 ? 'nope' : 'A', quantity: 1 }]))
  const carts = await Promise.all(crowd)
  t.equal(carts.filter((cart) => 'cartId' in cart).length, 400)
  t.equal(carts.filter((cart) => 'refused' in cart && cart.refused === 'item_not_found').length, 200)
  t.equal(sizes.reduce((sum, size) => sum + size, 0), 600)
  t.ok(Math.max(...sizes) <= 256 && sizes.length <= 4, sizes.join(' '))
})
