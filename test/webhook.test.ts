import tap from 'tap'
import { signBody, verifySignature } from '../src/payments/webhook.js'

const body = Buffer.from('{"eventId":"e1","amount":1999}')
const now = 1_764_000_000

tap.test('an event that the provider signed is let in', async (t) => {
  t.equal(verifySignature(signBody(body, 'secret', now), body, ['secret'], now), true)
})

tap.test('a signature is what the contract says: HMAC-SHA256 of "t.body" in hex', async (t) => {
  t.equal(
    signBody('{}', 'key', 1),
    't=1,v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224',
  )
})

tap.test('an event is refused when one byte of it is another, or the secret is', async (t) => {
  const header = signBody(body, 'secret', now)
  t.equal(verifySignature(header, Buffer.from('{"eventId":"e1","amount":1998}'), ['secret'], now), false)
  t.equal(verifySignature(header, body, ['other'], now), false)
  t.equal(verifySignature(header.replace(`t=${now}`, `t=${now + 1}`), body, ['secret'], now), false, 'the time is signed too')
})

tap.test('an event is refused when it is off by more than 300 s, either way', async (t) => {
  const header = signBody(body, 'secret', now)
  t.equal(verifySignature(header, body, ['secret'], now + 300), true)
  t.equal(verifySignature(header, body, ['secret'], now - 300), true)
  t.equal(verifySignature(header, body, ['secret'], now + 301), false)
  t.equal(verifySignature(header, body, ['secret'], now - 301), false)
})

tap.test('while a secret is rotated, either one opens, and one of several signatures is enough', async (t) => {
  const old = signBody(body, 'old', now)
  const fresh = signBody(body, 'new', now)
  t.equal(verifySignature(old, body, ['new', 'old'], now), true)
  t.equal(verifySignature(`${old},${fresh.split(',')[1]}`, body, ['new'], now), true)
  t.equal(verifySignature(`${old},${fresh.split(',')[1]}`, body, ['third'], now), false)
})

tap.test('nothing is let in while there is no secret', async (t) => {
  t.equal(verifySignature(signBody(body, '', now), body, [], now), false)
})

tap.test('what is no signature is refused, never an error', async (t) => {
  const [time, proof] = signBody(body, 'secret', now).split(',')
  for (const header of [
    undefined, '', 't=', 'v1=', `${time}`, `${proof}`, `${time},v1=`, `${time},v1=abc`, `t=x,${proof}`, `t=-1,${proof}`, `t=NaN,${proof}`,
    `${time},${time},${proof}`, `${time},v0=${proof?.slice(3)}`, `t=${'9'.repeat(20)},${proof}`, ','.repeat(1_000),
    `${time},${Array.from({ length: 9 }, () => proof).join(',')}`,
  ]) t.equal(verifySignature(header, body, ['secret'], now), false, String(header).slice(0, 40))
})

tap.test('a header in another order, with spaces, or with schemes of the future is understood', async (t) => {
  const [time, proof] = signBody(body, 'secret', now).split(',')
  t.equal(verifySignature(`${proof}, ${time}`, body, ['secret'], now), true)
  t.equal(verifySignature(`${time},v2=whatever,${proof}`, body, ['secret'], now), true)
  t.equal(verifySignature(`${time},${proof?.toUpperCase().replace('V1=', 'v1=')}`, body, ['secret'], now), true)
})
