/** `peertap demo`: real nodes on this machine alone, to see with one's own eyes what PeerTap does. */
import { EXIT, type ExitCode } from './exit.ts'
import type { Verb } from './flags.ts'

/** By the habit of shells: 128 and the number of the signal. */
const INTERRUPTED = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

export const demoVerb: Verb = {
  words: ['demo'],
  describe: 'Watch three members and a blind relay in network namespaces of this machine (root only)',
  flags: {},
  run: demo,
}

async function demo(): Promise<ExitCode> {
  // Loaded here alone, as is all that runs nodes.
  const { tellStory } = await import('../demo/story.ts')
  let isOver = false
  let close: () => Promise<void> = () => Promise.resolve()
  for (const [signal, code] of Object.entries(INTERRUPTED)) {
    process.on(signal, () => {
      if (isOver) return
      isOver = true
      console.log('\nInterrupted; everything is taken down.')
      void close().finally(() => process.exit(code))
    })
  }
  try {
    const isGood = await tellStory(
      (line) => console.log(line),
      (hosts) => {
        close = () => hosts.close()
      },
    )
    return isGood ? EXIT.ok : EXIT.failed
  } catch (error) {
    // What was cut short fails in some way or other.
    if (isOver) return await new Promise<never>(() => undefined)
    throw error
  }
}
