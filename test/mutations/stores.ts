/** Mutations of what lies between the two stores, and of what is asked of them. */
import type { Mutation } from './mutation.js'

const write = 'src/database/write.ts'
const connection = 'src/engine/connection.ts'

const lost = '2. Nothing acknowledged is lost'
const twice = '3. Nothing happens twice'
const ledger = 'The stock of the store is the sum of its movements'

export const stores: readonly Mutation[] = [
  {
    name: 'quantity',
    broken: '`items.quantity` stays as it was when an order is persisted',
    promise: ledger,
    edits: [{ file: write, find: 'set quantity = quantity + change.delta', replace: 'set quantity = quantity + 0 * change.delta' }],
    tests: ['test/contract/persisted.test.ts'],
  },
  {
    name: 'movement',
    broken: 'An order is persisted without its row in `stock_movements`',
    promise: ledger,
    edits: [{
      file: write,
      find: 'select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])`',
      replace: 'select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[]) limit 0`',
    }],
    tests: ['test/contract/audit.test.ts'],
  },
  {
    name: 'run-again',
    broken: 'A job that runs again takes the quantities again: what `returning` says is not listened to',
    promise: twice,
    edits: [
      { file: write, find: 'const sales = sold.map(', replace: "const sales = entries.filter((entry) => entry.kind === 'paid').flatMap(linesOf).map(" },
      {
        file: write,
        find: 'select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])`',
        replace: 'select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[]) on conflict do nothing`',
      },
    ],
    tests: ['test/persist.test.ts'],
  },
  {
    name: 'bad-order',
    broken: 'One bad order holds up all of its batch',
    promise: '4. All orders arrive',
    edits: [{ file: 'src/database/persist.ts', find: 'if (entries.length > 1) {', replace: 'if (entries.length > 1_000) {' }],
    tests: ['test/persist.test.ts'],
  },
  {
    name: 'not-whole',
    broken: 'A number that is not whole comes to Postgres as another one',
    promise: ledger,
    edits: [{ file: 'src/database/arrays.ts', find: 'if (!Number.isSafeInteger(value)) throw', replace: 'if (value > 2 ** 60) throw' }],
    tests: ['test/persist.test.ts'],
  },
  {
    name: 'audits-at-once',
    broken: 'A worker audits all sales at once, and orders wait for the connections',
    promise: '4. All orders arrive',
    edits: [{ file: 'workers/audit.ts', find: 'await attempt(shard', replace: 'void attempt(shard' }],
    tests: ['test/contract/audit.test.ts'],
  },
  {
    name: 'early-acknowledge',
    broken: 'A worker takes entries out of the outbox before its transaction',
    promise: lost,
    edits: [{
      file: 'workers/persist.ts',
      find: 'const outcomes = await database.persist(entries)',
      replace: 'await engine.acknowledge(shard, entries)\n  const outcomes = await database.persist(entries)',
    }],
    tests: ['test/contract/persisted.test.ts'],
  },
  {
    name: 'adjusted-twice',
    broken: 'A restock that comes again is made again',
    promise: twice,
    edits: [{ file: 'lua/adjust.lua', find: "if earlier then return earlier == '1' and 'OK' or 'BELOW_COMMITTED' end", replace: '' }],
    tests: ['test/scripts/operator.test.ts'],
  },
  {
    name: 'claimed-twice',
    broken: 'Any number of entries may be out and not persisted',
    promise: 'Whatever waits for Postgres is bounded on its way there',
    edits: [{ file: 'lua/claim.lua', find: 'count = math.min(count, bound - pending[1])', replace: 'count = math.min(count, bound)' }],
    tests: ['test/scripts/outbox.test.ts'],
  },
  {
    name: 'asks-postgres',
    broken: 'A hold asks Postgres something',
    promise: '4. A sale goes on without Postgres',
    edits: [{
      file: 'src/routes/carts.ts',
      find: 'const cart = await engine.createCart(',
      replace: 'await database.countDeadOrders()\n    const cart = await engine.createCart(',
    }],
    tests: ['test/contract/operations.test.ts'],
  },
  {
    name: 'sends-again',
    broken: 'The client sends a command again whose answer was cut, as ioredis does by default',
    promise: twice,
    edits: [
      { file: connection, find: 'maxRetriesPerRequest: 0,', replace: 'maxRetriesPerRequest: 20,' },
      { file: connection, find: 'autoResendUnfulfilledCommands: false,', replace: 'autoResendUnfulfilledCommands: true,' },
    ],
    tests: ['test/scripts/loader.test.ts'],
  },
  {
    name: 'durability',
    broken: 'A Redis that syncs every second (`appendfsync everysec`) is good enough',
    promise: lost,
    edits: [{ file: connection, find: "  appendfsync: 'always',\n", replace: '' }],
    tests: ['test/races/redis-away.test.ts'],
  },
  {
    name: 'from-nothing',
    broken: 'A Redis that has lost its data is taken for one that never had a sale',
    promise: 'No sale from nothing',
    edits: [{ file: 'src/engine/core.ts', find: 'lostUntilMs = Date.now() + lostForMs\n    return false', replace: 'lostUntilMs = Date.now() + lostForMs\n    return true' }],
    tests: ['test/recover.test.ts'],
  },
  {
    name: 'references',
    broken: 'A line may be of an order that is not there',
    promise: 'Postgres refers to nothing that is not there',
    edits: [{ file: 'migrations/005_references_by_statement.sql', find: 'from fresh where not exists (select from orders', replace: 'from fresh where false and not exists (select from orders' }],
    tests: ['test/persist.test.ts'],
  },
  {
    name: 'audit-outbox',
    broken: 'An audit does not look at the outbox',
    promise: 'An audit accounts for every unit, on its way as well',
    edits: [{ file: 'src/engine/decode.ts', find: "  if (kind !== 'paid') return null\n", replace: "  if (kind !== 'none') return null\n" }],
    tests: ['test/contract/audit.test.ts'],
  },
]
