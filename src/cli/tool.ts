/**
 * What an operator's command stands on: both stores, an engine, and an end that says in one line what went wrong.
 */
import { readSettings } from '../config.js'
import { type Database, openDatabase } from '../database.js'
import { connect, createEngine, type Engine } from '../engine/engine.js'
import { createLogger } from '../log.js'
import { createSandbox } from '../payments/sandbox.js'
import type { PaymentProvider } from '../payments/provider.js'
import { within } from '../within.js'

/** How long Redis may take to answer, in ms. */
const redisMs = 5_000

/** It cannot be done; the message is for the operator. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
}

export interface Tool {
  readonly engine: Engine
  readonly database: Database
  readonly provider: PaymentProvider
}

/** Runs a command to its end, and ends the process with the code that it returns: 1 where it failed, after one line that says why. */
export async function runTool(work: (tool: Tool) => Promise<number>): Promise<never> {
  try {
    const settings = readSettings('worker')
    const database = openDatabase(settings.databaseUrl)
    const log = createLogger('silent')
    let unfit: (error: Error) => void = () => undefined
    const isUnfit = new Promise<never>((_resolve, reject) => { unfit = reject })
    const connection = connect({ url: settings.redisUrl, durability: settings.redisDurability, log, onUnfit: (error) => unfit(error) })
    await within(redisMs, Promise.race([connection.ready, isUnfit])).catch((error: unknown) => {
      const { host } = new URL(settings.redisUrl)
      throw new ToolError(`Redis at ${host} (REDIS_URL) cannot be used: ${error instanceof Error ? error.message : String(error)}`)
    })
    const engine = createEngine({ connection, nothingPublished: async () => !(await database.anySale()) })
    const provider = createSandbox(connection.usable, { production: settings.production, warn: () => {} })
    process.exit(await work({ engine, database, provider }))
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
}
