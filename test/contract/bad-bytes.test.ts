/** Bodies that are no JSON in UTF-8, or too much of it: refused before anybody looks at what they say. */
import tap, { type Test } from 'tap'
import { type BodyCall, bodyCalls, fieldsOf, written } from './calls.js'
import { invalid, refused } from './refused.js'
import { openShop } from './shop.js'

const shop = await openShop(tap)
const calls = await bodyCalls(shop)

/** Past the largest body of any route, in bytes. */
const megabytes = 2 * 1_024 * 1_024
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

/** A promise about every call that takes a body; none of them may write anything. */
function promise(name: (call: string) => string, body: (t: Test, call: BodyCall, good: string) => Promise<void>): void {
  for (const call of calls) {
    void tap.test(name(call.name), async (t) => {
      const before = await written(shop)
      await body(t, call, JSON.stringify(call.body))
      t.strictSame(await written(shop), before, 'nothing is written')
    })
  }
}

promise((call) => `${call} in broken JSON is refused`, async (t, { send }, good) => {
  for (const broken of [
    '{', '}', '[', '"', 'x', ' ', '\r\n', 'NaN', 'undefined', '{a:1}', "{'a':1}", '{"a":1,}', '{"a":}', '{"a":01}', '{"a":.5}', '{"a":+1}', '{"a":0x10}', '{"a":Infinity}',
    '{"a":"\u0000"}', '{"a":"\n"}', '{"a":"\\x41"}', '{"a":"\\u12"}', good.slice(0, -1), `${good}}`, `${good}${good}`, `${good},`, `${good}//`, `/**/${good}`, `\u0000${good}`, `${good}\u0000`,
    `)]}'\n${good}`, `${good.slice(0, -1)},}`,
  ]) {
    const reply = await send(broken)
    t.equal(reply.status, 400, encodeURIComponent(broken.slice(0, 40)))
    invalid(t, reply, '')
  }
})

promise((call) => `${call} in bytes that are no UTF-8 is refused`, async (t, { send }, good) => {
  const within = (...bytes: number[]) => Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from(`",${good.slice(1)}`)])
  const broken = [
    [0xff], [0x80], [0xc3], [0xe4], [0xc0, 0xaf], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80], [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], [0xf0, 0x9f, 0x98], [0xf4, 0x90, 0x80, 0x80],
  ].map((bytes) => within(...bytes))
  for (const bytes of [...broken, Buffer.from(good, 'utf16le'), Buffer.from([0xff, 0xfe, ...Buffer.from(good, 'utf16le')]), Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])]) {
    const reply = await send(bytes)
    t.equal(reply.status, 400, bytes.toString('hex', 0, 20))
    invalid(t, reply, '')
  }
})

promise((call) => `${call} that is no object is refused`, async (t, { send, name }, good) => {
  for (const other of ['null', 'true', '3', '"3"', '[]', '[{}]', `[${good}]`, JSON.stringify(good)]) invalid(t, await send(other), '')
  if (name === 'a new cart') return
  for (const none of [undefined, '']) invalid(t, await send(none), '')
  invalid(t, await send('{}'))
})

promise((call) => `${call} nested without end is refused, and breaks nothing`, async (t, { send, name, body }) => {
  for (const deep of [nested(30_000), '['.repeat(60_000), ']'.repeat(60_000), '{"a":'.repeat(10_000)]) invalid(t, await send(deep), '')
  const last = fieldsOf(body).at(-1)!
  invalid(t, await send(last.as(nested(30_000))), last.path)
  // A sale may be long: there the depth alone has to be borne.
  for (const deep of [nested(100_000), '['.repeat(100_000)]) {
    const reply = await send(deep)
    if (name === 'a sale') invalid(t, reply, '')
    else refused(t, reply, 'payload_too_large')
  }
})

promise((call) => `${call} of two megabytes is refused for its size, whatever it says`, async (t, { send }, good) => {
  for (const body of [' '.repeat(megabytes), good.padEnd(megabytes), Buffer.alloc(megabytes, 0xff), `{"a":"${'a'.repeat(megabytes)}",${good.slice(1)}`]) {
    refused(t, await send(body), 'payload_too_large')
  }
})

promise((call) => `${call} that says to be anything but JSON is refused`, async (t, { send }, good) => {
  for (const type of [
    'text/plain', 'text/json', 'text/plain; charset=utf-8', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/octet-stream', 'application/jsonp',
    'application/json5', 'application/vnd.api+json', 'application/problem+json', 'application/xml', 'json', '*/*', 'x', '/', ';',
  ]) {
    const reply = await send(good, { 'content-type': type })
    t.equal(reply.status, 415, type)
    refused(t, reply, 'unsupported_media_type')
  }
})

void tap.test('a body is JSON whatever the case of its type, and its parameters', async (t) => {
  const [{ send, body, status }] = calls as [BodyCall]
  for (const type of ['application/json', 'Application/JSON', 'application/json; charset=utf-8', 'application/json;charset=UTF-8']) {
    t.equal((await send(JSON.stringify(body), { 'content-type': type })).status, status, type)
  }
})

void tap.test('what was refused has broken none of these calls', async (t) => {
  for (const { name, body, status, send } of calls) t.equal((await send(JSON.stringify(body))).status, status, name)
})
