/** A copy of the project, so that the working tree stays as it is, and the project's own runner in it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { apply, type Edit } from './mutation.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** What is not of the project itself, or can be made again. */
const leftOut = new Set(['.git', '.data', '.tap', 'dist', 'node_modules'].map((name) => join(root, name)))
/** Where only scripts are broken, what was built of the rest is still good, and the compiler need not look at it again. */
const buildScriptsOnly: Edit = { file: 'package.json', find: '"build": "tsc -p tsconfig.build.json && cp', replace: '"build": "cp' }

export interface Copy {
  /** Makes edits. @returns what undoes them @throws where one of them has gone stale */
  change(edits: readonly Edit[]): Promise<() => Promise<void>>
  /** Runs test files with the project's own runner. @returns what it wrote, and whether all went well */
  test(files: readonly string[]): Promise<{ readonly output: string; readonly ok: boolean }>
}

/** Copies the project into a new folder. */
export async function copyProject(folder: string): Promise<void> {
  await cp(root, folder, { recursive: true, filter: (source) => !leftOut.has(source) })
  await mkdir(join(folder, 'dist'))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
}

/** @param env names the servers to test with */
export function workIn(folder: string, env: NodeJS.ProcessEnv): Copy {
  return {
    async change(edits) {
      const before = new Map<string, string>()
      const after = new Map<string, string>()
      const all = edits.every(({ file }) => file.endsWith('.lua')) ? [...edits, buildScriptsOnly] : edits
      for (const edit of all) {
        const text = after.get(edit.file) ?? (await readFile(join(folder, edit.file), 'utf8'))
        if (!before.has(edit.file)) before.set(edit.file, text)
        after.set(edit.file, apply(text, edit))
      }
      const write = async (texts: ReadonlyMap<string, string>) => {
        for (const [file, text] of texts) await writeFile(join(folder, file), text)
      }
      await write(after)
      return () => write(before)
    },
    async test(files) {
      const args = ['test/run.ts', ...files]
      const child = spawn('node_modules/.bin/tsx', args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
      let output = ''
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
      const [code] = await once(child, 'close')
      return { output, ok: code === 0 }
    },
  }
}
