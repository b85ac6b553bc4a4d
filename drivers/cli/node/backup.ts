/**
 * `peertap backup` and `peertap restore`: a node in one file, and back.
 */
import { UsageError } from '../../../core/errors.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { Flag, Given, Verb } from '../flags.ts'
import { counted } from '../table.ts'
import { JSON_FLAG, placesGiven, STATE_FLAG } from './places.ts'

const PASSPHRASE_FLAGS: Readonly<Record<string, Flag>> = {
  'passphrase-file': { kind: 'text', describe: 'File with the passphrase in its first line' },
  'passphrase-stdin': { kind: 'switch', describe: 'Read the passphrase from standard input' },
}
const ONE_NODE =
  'Never run one node on two machines: both would be the same member, and the others would trust neither.'

export const nodeBackup: Verb = {
  words: ['backup'],
  describe: 'Write the key and the VLANs of this node to a new file; the node may run meanwhile',
  arguments: [{ name: 'file', describe: 'It must not be there yet' }],
  flags: { state: STATE_FLAG, ...PASSPHRASE_FLAGS, json: JSON_FLAG },
  examples: [
    ['peertap backup node.backup', 'readable by its owner alone'],
    ['peertap backup node.backup --passphrase-stdin', 'and encrypted'],
  ],
  run: backup,
}

export const nodeRestore: Verb = {
  words: ['restore'],
  describe: `Make a state directory of a backup; one that is there is never written over. ${ONE_NODE}`,
  arguments: [{ name: 'file', describe: 'What "peertap backup" wrote' }],
  flags: { state: STATE_FLAG, ...PASSPHRASE_FLAGS, json: JSON_FLAG },
  run: restore,
}

async function backup(given: Given): Promise<ExitCode> {
  const { readPassphrase, writeBackup } = await import('../../node/backup.ts')
  const { state } = placesGiven(given)
  const file = given.argument('file')
  const from = passphrasePlace(given)
  const passphrase = from === undefined ? undefined : readPassphrase(from)
  const { vlans, encrypted } = writeBackup(state, file, { passphrase, nowMillis: Date.now() })
  if (given.on('json')) console.log(JSON.stringify({ file, state, vlans, encrypted }))
  else {
    const warning = encrypted ? '' : 'It is not encrypted: whoever reads it can be this node.\n'
    console.log(`${file}: the key and ${counted(vlans, 'VLAN')} of ${state}\n${warning}${ONE_NODE}`)
  }
  return EXIT.ok
}

async function restore(given: Given): Promise<ExitCode> {
  const { readPassphrase, restoreBackup } = await import('../../node/backup.ts')
  const { state } = placesGiven(given)
  const file = given.argument('file')
  const from = passphrasePlace(given)
  const passphrase = from === undefined ? undefined : readPassphrase(from)
  const { vlans, createdMillis } = restoreBackup(file, state, passphrase)
  const created = new Date(createdMillis).toISOString()
  if (given.on('json')) console.log(JSON.stringify({ file, state, vlans, created }))
  else console.log(`${state}: the key and ${counted(vlans, 'VLAN')}, as of ${created}\n${ONE_NODE}`)
  return EXIT.ok
}

/** A path, or - for standard input. */
function passphrasePlace(given: Given): string | undefined {
  const file = given.text('passphrase-file')
  if (!given.on('passphrase-stdin')) return file
  if (file === undefined) return '-'
  throw new UsageError('--passphrase-file and --passphrase-stdin are both given; give one of them')
}
