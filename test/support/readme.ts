/** Commands of README.md, to be executed to the letter. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { REPOSITORY } from './requirements.ts'

export interface Block {
  /** The first line, a comment that says who types it. */
  readonly who: string
  readonly commands: string
}

/** The blocks of shell commands under a heading, up to the next one of any level. */
export function shellBlocks(heading: string): Block[] {
  const text = readFileSync(join(REPOSITORY, 'README.md'), 'utf8')
  const section = text.split(/^(?=#+ )/m).find((part) => part.startsWith(`${heading}\n`))
  if (section === undefined) throw new Error(`README.md has no heading '${heading}'`)
  // Comments in blocks begin like headings.
  const end = text.slice(text.indexOf(section) + heading.length).search(/^##/m)
  const whole = text.slice(text.indexOf(section), text.indexOf(section) + heading.length + end)
  return [...whole.matchAll(/^```sh\n# (.*)\n([^`]*)^```/gm)].map(([, who = '', commands = '']) => ({
    who,
    commands,
  }))
}

/** The commands of one of them. */
export function commandsOf(blocks: readonly Block[], who: string): string {
  const block = blocks.find((each) => each.who === who)
  if (block === undefined) throw new Error(`README.md has no block for '${who}'`)
  return block.commands
}
