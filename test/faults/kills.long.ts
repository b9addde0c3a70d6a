/** Every process of a running sale is killed, twenty times each at random moments: nothing is lost, and nothing happens twice. */
import tap from 'tap'
import { random } from '../races/buyer.js'
import { openStreet, type Victim } from './street.js'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const times = Number(process.env['KILLS'] ?? 20)
/** Answers that customers hear from one kill to the next, at the most; and while one is dead, at the least. */
const betweenBound = 150
const whileDead = 20

tap.test('the API processes, the workers, Redis and Postgres are killed in turn in the middle of a sale', async (t) => {
  t.comment(`SEED=${seed}`)
  const dice = random(seed)
  const street = await openStreet(t, seed)
  const victims = [...street.apis, ...street.workers, street.redis, street.postgres]
  const turns = victims.flatMap((victim) => Array.from<Victim>({ length: times }).fill(victim))
  while (turns.length > 0) {
    const [victim] = turns.splice(dice.below(turns.length), 1)
    await street.heard(1 + dice.below(betweenBound))
    await victim!.kill()
    await street.heard(whileDead)
    await victim!.start()
  }
  await street.close()
  for (const { name } of [...street.apis, ...street.workers]) t.strictSame(await street.running(name).stop(), { code: 0, signal: null }, `${name} ends well`)
})
