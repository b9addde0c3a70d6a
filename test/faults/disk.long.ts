/**
 * A disk that stalls, and a Redis that is killed meanwhile: with `appendfsync always` no acknowledged payment is lost.
 * With `everysec` some are, which shows that this test would notice.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import tap, { type Test } from 'tap'
import { freshDatabase } from '../postgres.js'
import { random } from '../races/buyer.js'
import { startApi, until } from '../races/processes.js'
import { ownRedis } from '../races/servers.js'
import { checkOut, openCart, patiently, pay, publish, readOrder, ready, ware } from '../races/shop.js'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const kills = 5
const stallMs = 1_800
const customers = 16
/** Payments before each stall. */
const paymentsBefore = 200

/** From now on every fsync of a process takes so long. @returns what ends that */
async function stall(t: Test, pid: number): Promise<() => void> {
  const inject = `inject=fsync,fdatasync:delay_enter=${stallMs * 1_000}`
  const strace = spawn('strace', ['-f', '-qq', '-e', 'trace=fsync,fdatasync', '-e', inject, '-o', '/dev/null', '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  let over = false
  strace.stderr.on('data', (bytes) => (said += String(bytes)))
  strace.on('error', (error) => (said += `${error.message}; strace holds up the disk here: apt-get install strace`))
  void once(strace, 'close').catch(() => {}).finally(() => (over = true))
  const end = () => void strace.kill('SIGKILL')
  t.teardown(end)
  await until('strace holds up the disk', async () => {
    if (over) throw new Error(said)
    return !/^TracerPid:\t0$/m.test(await readFile(`/proc/${pid}/status`, 'utf8'))
  })
  return end
}

/** @returns how many acknowledged payments a Redis with this setting did not have any more after its kills, of how many */
async function payAndKill(t: Test, appendfsync: 'always' | 'everysec'): Promise<{ acknowledged: number; lost: number }> {
  t.comment(`SEED=${seed}`)
  const dice = random(seed)
  const own = await ownRedis(t)
  await own.start()
  const { url: api } = await startApi(t, { redisUrl: own.url, databaseUrl: await freshDatabase(t) }, { REDIS_DURABILITY: 'trusted' })
  await ready(api)
  const { saleId } = await publish(api, [ware('mug', 1_000_000)])
  const paid = new Set<string>()
  const doors = { open: true }

  async function buyOne(): Promise<void> {
    const cart = await openCart(api, saleId, [{ sku: 'mug', quantity: 1 }])
    if (cart.value === null) return
    const order = await checkOut(api, cart.value.cartId)
    if (order.value === null) return
    const { value } = await pay(api, order.value.orderId, 'tok_ok')
    if (value?.status === 'paid') paid.add(value.orderId)
  }
  const shop = () => Promise.all(Array.from({ length: customers }, async () => {
    while (doors.open) await buyOne()
  }))

  for (let kill = 0; kill < kills; kill += 1) {
    await own.set('appendfsync', appendfsync)
    doors.open = true
    const [enough, shopping] = [paid.size + paymentsBefore, shop()]
    await until('people buy', async () => paid.size >= enough)
    const end = await stall(t, await own.pid())
    await delay(dice.below(stallMs))
    await own.kill()
    doors.open = false
    end()
    await shopping
    await own.start()
    await ready(api)
  }
  let lost = 0
  for (const orderId of paid) {
    const { value } = await patiently(() => readOrder(api, orderId))
    if (value?.status !== 'paid') lost += 1
  }
  return { acknowledged: paid.size, lost }
}

tap.test('with appendfsync always, a stalled disk and a kill lose no acknowledged payment', async (t) => {
  const { acknowledged, lost } = await payAndKill(t, 'always')
  t.comment(`${lost} of ${acknowledged} lost`)
  t.equal(lost, 0)
})

tap.test('with appendfsync everysec they do, so this would be noticed', async (t) => {
  const { acknowledged, lost } = await payAndKill(t, 'everysec')
  t.comment(`${lost} of ${acknowledged} lost`)
  t.ok(lost > 0, 'payments were lost')
})
