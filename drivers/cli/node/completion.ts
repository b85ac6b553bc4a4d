/**
 * `peertap completion`: what shells complete, from the table of verbs.
 */
import { UsageError } from '../../../core/errors.ts'
import { EXIT } from '../exit.ts'
import type { Verb } from '../flags.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

/** `verbs` is asked when the verb runs: this one is among them. */
export function completionVerb(verbs: () => readonly Verb[]): Verb {
  return {
    words: ['completion'],
    describe: 'Print a script by which a shell completes verbs and flags',
    arguments: [{ name: 'shell', describe: SHELLS.join(', '), choices: SHELLS }],
    flags: {},
    examples: [['source <(peertap completion bash)', 'in ~/.bashrc']],
    run: async (given) => {
      const name = given.argument('shell')
      const shell = SHELLS.find((each) => each === name)
      if (shell === undefined)
        throw new UsageError(`"${name}" is no shell that is known; write one of ${SHELLS.join(', ')}`)
      process.stdout.write(completionScript(shell, verbs()))
      return EXIT.ok
    },
  }
}

export function completionScript(shell: Shell, verbs: readonly Verb[]): string {
  if (shell === 'fish') return fishScript(verbs)
  const bash = bashScript(verbs)
  return shell === 'bash' ? bash : `autoload -U +X bashcompinit && bashcompinit\n${bash}`
}

/** First words of all, and what follows those that are groups. */
function tree(verbs: readonly Verb[]): ReadonlyMap<string, readonly string[]> {
  const below = new Map<string, string[]>()
  for (const { words } of verbs) {
    const [first = '', second] = words
    const list = below.get(first) ?? []
    if (second !== undefined) list.push(second)
    below.set(first, list)
  }
  return below
}

function flagWords({ flags, arguments: list = [] }: Verb): string {
  const choices = list.flatMap((each) => each.choices ?? [])
  return [...choices, ...Object.keys(flags).map((flag) => `--${flag}`), '--help'].join(' ')
}

function bashScript(verbs: readonly Verb[]): string {
  const below = tree(verbs)
  const cases = [
    `    '') words='${[...below.keys()].join(' ')} --help --version' ;;`,
    ...verbs.map((verb) => `    ' ${verb.words.join(' ')}'*) words='${flagWords(verb)}' ;;`),
    ...[...below]
      .filter(([, list]) => list.length > 0)
      .map(([first, list]) => `    ' ${first}') words='${list.join(' ')} --help' ;;`),
  ]
  return `_peertap() {
  local word path='' words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="$path $word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _peertap peertap
`
}

function fishScript(verbs: readonly Verb[]): string {
  const seen = (words: readonly string[]): string =>
    words.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')
  const lines = [...tree(verbs)].flatMap(([first, list]) => {
    const alone = verbs.find(({ words }) => words.length === 1 && words[0] === first)
    const inner = list.map((second) => {
      const verb = verbs.find(({ words }) => words[0] === first && words[1] === second)
      const when = `${seen([first])}; and not __fish_seen_subcommand_from ${list.join(' ')}`
      return `complete -c peertap -n '${when}' -f -a ${second} -d ${quoted(verb?.describe ?? '')}`
    })
    const top = `complete -c peertap -n __fish_use_subcommand -f -a ${first}`
    return [alone === undefined ? top : `${top} -d ${quoted(alone.describe)}`, ...inner]
  })
  for (const { words, flags, arguments: list = [] } of verbs) {
    const choices = list.flatMap((each) => each.choices ?? [])
    if (choices.length > 0) lines.push(`complete -c peertap -n '${seen(words)}' -f -a '${choices.join(' ')}'`)
    for (const [flag, { kind, describe }] of Object.entries(flags)) {
      const value = kind === 'switch' ? '' : ' -r'
      lines.push(`complete -c peertap -n '${seen(words)}' -l ${flag}${value} -d ${quoted(describe)}`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** A word of fish in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
