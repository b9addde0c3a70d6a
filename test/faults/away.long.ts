/** Redis and Postgres are away for a while: customers hear an honest no, or nothing of it, and then everything goes on. */
import { setTimeout as delay } from 'node:timers/promises'
import tap from 'tap'
import { openStreet } from './street.js'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

for (const seconds of [2, 9, 25]) {
  tap.test(`Redis is away for ${seconds} s`, async (t) => {
    t.comment(`SEED=${seed}`)
    const street = await openStreet(t, seed)
    await street.heard(500)
    await street.redis.kill()
    await delay(seconds * 1_000)
    await street.redis.start()
    await street.heard(500)
    await street.close()
  })
}

tap.test('Postgres is away for 30 s, and no customer hears of it', async (t) => {
  t.comment(`SEED=${seed}`)
  const street = await openStreet(t, seed)
  await street.heard(500)
  const faults = () => new Map([...street.told.counts].filter(([what]) => /^(503|408|500|no answer)/.test(what)))
  const before = faults()
  await street.postgres.kill()
  await delay(30_000)
  t.strictSame(faults(), before)
  await street.postgres.start()
  await street.heard(500)
  await street.close()
})
