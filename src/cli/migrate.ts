import { readSettings } from '../config.js'
import { migrate } from '../migrations.js'

try {
  const { databaseUrl } = readSettings('migrate', process.env)
  await migrate(databaseUrl, console.log)
} catch (error) {
  const { message, code, name } = error as NodeJS.ErrnoException
  console.error(name === 'SettingsError' ? message : `The database could not be brought up to date: ${message || code}`)
  process.exitCode = 1
}
