/** Redis has done what was asked, and its answer never arrives: a prompt 503, and whoever asks again gets the one effect. */
import tap from 'tap'
import { loseReplies } from './cuts.js'

const cuts = Number(process.env['CUTS'] ?? 68)
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

tap.test(`the reply of every script is lost, and whoever asks again gets the one effect (SEED=${seed})`, async (t) => {
  await loseReplies(t, cuts, seed)
})
