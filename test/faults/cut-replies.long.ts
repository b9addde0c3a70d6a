/** A thousand replies of Redis are lost, as many of every script: every effect is there once. */
import tap from 'tap'
import { loseReplies } from '../races/cuts.js'

const cuts = Number(process.env['CUTS'] ?? 1_000)
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

tap.test(`${cuts} replies are lost, and whoever asks again gets the one effect (SEED=${seed})`, { timeout: 3_600_000 }, async (t) => {
  await loseReplies(t, cuts, seed)
})
