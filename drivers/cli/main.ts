/** The process of the program `peertap` (perform.ts): its streams, its warnings, its exit code. */
import { endWithLauncher } from './launched.ts'
import { perform } from './perform.ts'

// Whoever runs a simulation is not asked about the runtime's experiments.
process.removeAllListeners('warning')
// The reader of a pipe may have had enough, as `head` does: that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  process.stderr.write(`standard output cannot be written: ${error.message}; give it room or another place\n`)
  process.exit(2)
})
endWithLauncher(process.env)
// Nobody is left who could be told.
process.stderr.on('error', () => {})

process.exitCode = await perform(process.argv.slice(2))
