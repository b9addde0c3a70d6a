/** What a run ran on: its figures mean nothing without it. */
import { open, rm } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { median } from './figures.js'
import type { Stage } from './stage.js'

const fsyncs = 200

/** @returns a line for each thing that the figures depend on: its name, what it is */
export async function describeMachine(stage: Stage): Promise<[string, string][]> {
  const cpus = os.cpus()
  const info = await stage.redis.info('server')
  const { rows } = await stage.postgres.query<{ name: string; setting: string }>(
    `select name, current_setting(name) as setting from pg_settings
      where name in ('server_version', 'fsync', 'synchronous_commit', 'shared_buffers')`)
  const postgres = new Map(rows.map(({ name, setting }) => [name, setting]))
  return [
    ['CPU', `${cpus[0]?.model.trim() ?? 'unknown'}, ${cpus.length} cores for everything: load, API, Redis, Postgres, workers`],
    ['Memory', `${(os.totalmem() / 2 ** 30).toFixed(1)} GiB`],
    ['System', `${os.type()} ${os.release()}, ${os.arch()}`],
    ['Disk', stage.folder === null ? 'that of the servers given' : `an fsync of 4 KiB takes ${(await fsyncMs(stage.folder)).toFixed(2)} ms (median of ${fsyncs})`],
    ['Node', process.version],
    ['Redis', `${/redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown'}, ${await redisSettings(stage)}`],
    ['Postgres', `${postgres.get('server_version') ?? 'unknown'}, ${['fsync', 'synchronous_commit', 'shared_buffers'].map((name) => `${name} ${postgres.get(name) ?? 'unknown'}`).join(', ')}`],
  ]
}

async function redisSettings({ redis }: Stage): Promise<string> {
  const pairs = await redis.config('GET', 'appendonly', 'appendfsync', 'no-appendfsync-on-rewrite', 'maxmemory-policy').catch(() => [])
  if (!Array.isArray(pairs) || pairs.length === 0) return 'its settings cannot be read'
  const settings: string[] = []
  for (let i = 0; i + 1 < pairs.length; i += 2) settings.push(`${String(pairs[i])} ${String(pairs[i + 1])}`)
  return settings.toSorted().join(', ')
}

/** How long the disk takes to keep a page, in ms: what a durable answer waits for. */
async function fsyncMs(folder: string): Promise<number> {
  const path = join(folder, 'fsync')
  const file = await open(path, 'w')
  const page = Buffer.alloc(4_096, 1)
  const took: number[] = []
  try {
    for (let i = 0; i < fsyncs; i += 1) {
      const started = performance.now()
      await file.write(page)
      await file.datasync()
      took.push(performance.now() - started)
    }
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
  return median(took)
}
