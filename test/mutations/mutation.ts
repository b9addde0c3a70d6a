/** A mutation: a promise broken on purpose, in as few characters as it takes, and the tests that must notice. */

/** One replacement. */
export interface Edit {
  readonly file: string
  /** What is replaced, to the character. It must be there exactly once. */
  readonly find: string
  readonly replace: string
}

export interface Mutation {
  /** What one is run by: `npm run test:mutations -- <name>`. */
  readonly name: string
  /** What is broken, in words. */
  readonly broken: string
  /** The promise that it breaks, with its number in docs/ARCHITECTURE.md where it has one. */
  readonly promise: string
  readonly edits: readonly Edit[]
  /** Each of these files must fail. */
  readonly tests: readonly string[]
}

/**
 * @returns a file's text with one edit made
 * @throws where the text is not there exactly once: the list has gone stale
 */
export function apply(text: string, { file, find, replace }: Edit): string {
  const parts = text.split(find)
  if (parts.length !== 2) throw new Error(`${file} has this ${parts.length - 1} times, and not once: ${find}`)
  return parts.join(replace)
}
