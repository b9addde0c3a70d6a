import tap from 'tap'
import { readSettings, SettingsError } from '../src/config.js'

/** The one line that a start with these variables ends with. */
function refusal(env: NodeJS.ProcessEnv): string {
  try {
    readSettings('api', env)
  } catch (error) {
    if (error instanceof SettingsError) return error.message
    throw error
  }
  return 'accepted'
}

tap.test('a process starts with nothing set, on loopback and without limits', async (t) => {
  t.match(readSettings('api', {}), {
    redisUrl: 'redis://127.0.0.1:6379',
    databaseUrl: 'postgres://postgres@127.0.0.1:5432/flash_sale',
    host: '127.0.0.1',
    port: 3000,
    processes: 1,
    adminToken: null,
    paymentWebhookSecrets: [],
    rateLimitMax: 0,
    trustProxy: [],
    corsOrigins: [],
    logLevel: 'info',
    redisDurability: 'checked',
    production: false,
  })
})

tap.test('an empty variable counts as not set', async (t) => {
  t.same(readSettings('api', { PORT: '', ADMIN_TOKEN: '', RATE_LIMIT_MAX: ' ', LOG_LEVEL: '' }), readSettings('api', {}))
})

tap.test('lists are split at commas: secrets while one is rotated, proxies, origins', async (t) => {
  t.match(readSettings('api', {
    PAYMENT_WEBHOOK_SECRET: 'new, old',
    TRUST_PROXY: '10.0.0.0/8,::1/128,192.0.2.1',
    CORS_ORIGIN: 'https://shop.example,http://localhost:5173',
  }), {
    paymentWebhookSecrets: ['new', 'old'],
    trustProxy: ['10.0.0.0/8', '::1/128', '192.0.2.1'],
    corsOrigins: ['https://shop.example', 'http://localhost:5173'],
  })
})

tap.test('a bad setting stops the start with one line that names it', async (t) => {
  const bad: NodeJS.ProcessEnv = {
    REDIS_URL: 'http://127.0.0.1',
    DATABASE_URL: 'flash_sale',
    PORT: '65536',
    API_PROCESSES: '0',
    ADMIN_TOKEN: 'two words',
    PAYMENT_WEBHOOK_SECRET: 'new,,old',
    RATE_LIMIT_MAX: '-1',
    TRUST_PROXY: '10.0.0.0/33',
    CORS_ORIGIN: 'shop.example',
    LOG_LEVEL: 'loud',
    REDIS_DURABILITY: 'maybe',
  }
  for (const [name, value] of Object.entries(bad)) {
    const line = refusal({ [name]: value })
    t.match(line, new RegExp(`^${name}: [^\\n]+$`), `${name}=${value}`)
  }
  t.match(refusal({ PORT: '30x' }), /^PORT: /, 'a port that is not a number')
})

tap.test('a URL that a client would read otherwise than it is written is refused', async (t) => {
  for (const url of ['redis://redis/sale', 'redis://redis/0/1', 'redis://:100%@redis']) t.match(refusal({ REDIS_URL: url }), /^REDIS_URL: [^\n]+$/, url)
  for (const url of ['postgres://shop:100%@db/shop', 'postgres://db/100%']) t.match(refusal({ DATABASE_URL: url }), /^DATABASE_URL: [^\n]+$/, url)
  for (const url of ['redis://redis', 'redis://redis/', 'redis://:100%25@redis/15']) t.equal(refusal({ REDIS_URL: url }), 'accepted', url)
})

tap.test('a line about a secret does not show it', async (t) => {
  t.notMatch(refusal({ ADMIN_TOKEN: 'hunter2 hunter2' }), /hunter2/)
  t.notMatch(refusal({ REDIS_URL: 'http://user:hunter2@redis' }), /hunter2/)
})

tap.test('a worker does not mind what only the API reads', async (t) => {
  t.match(readSettings('worker', { PORT: 'none', REDIS_URL: 'rediss://redis:6380' }), { redisUrl: 'rediss://redis:6380' })
  t.match(readSettings('migrate', { DATABASE_URL: 'postgresql:///shop?host=/var/run/postgresql' }), {
    databaseUrl: 'postgresql:///shop?host=/var/run/postgresql',
  })
})
