/** Nodes in one process, over loopback: what their owner's files are asked for, and when. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { peerIdOf } from '../../core/ids.ts'
import type { PeerHint, PeerId } from '../../core/io.ts'
import { checkConfig } from '../../drivers/node/config.ts'
import { Daemon } from '../../drivers/node/daemon.ts'
import { createState, NodeState } from '../../drivers/node/state.ts'

const folder = mkdtempSync(join(tmpdir(), 'peertap-daemon-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Longer than all else takes to end. */
const SLOW_MILLIS = 500

function configText(bootstrap: readonly string[]): string {
  return JSON.stringify({ version: 1, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, bootstrap })
}

class Machine {
  readonly kept: PeerHint[] = []
  readonly self: PeerId
  readonly daemon: Daemon
  readonly #state: NodeState
  readonly #configFile: string

  constructor(name: string, bootstrap: readonly string[]) {
    const path = join(folder, name)
    this.#configFile = join(folder, `${name}.json`)
    createState(path)
    this.#state = NodeState.open(path, () => undefined)
    const checked = checkConfig(configText(bootstrap))
    if (!checked.ok) throw new Error(JSON.stringify(checked.mistakes))
    const state = this.#state
    const files = {
      directory: path,
      seed: state.seed,
      book: () => state.book.load(),
      put: (...what: Parameters<NodeState['store']>) => state.store(...what),
      erase: (...what: Parameters<NodeState['erase']>) => state.erase(...what),
      token: () => state.token(),
      peers: () => [],
      keepPeers: async (peers: readonly PeerHint[]) => {
        await new Promise((done) => setTimeout(done, SLOW_MILLIS))
        this.kept.push(...peers)
        return true
      },
    }
    const log = { entry: () => undefined, configure: () => undefined }
    const socket = join(folder, `${name}.sock`)
    this.self = peerIdOf(noble.signatures.publicKey(state.seed))
    const { config } = checked
    this.daemon = new Daemon({ configFile: this.#configFile, config, socket, files, log }, this.self)
  }

  reload(bootstrap: readonly string[]): void {
    writeFileSync(this.#configFile, configText(bootstrap))
    this.daemon.reload()
  }

  async end(): Promise<void> {
    this.daemon.stop()
    expect(await this.daemon.ended()).toBeUndefined()
    await this.#state.close()
  }
}

test.skipIf(process.platform !== 'linux')(
  'has ended when the peers that it knew are kept, and not before',
  async () => {
    const first = new Machine('first', [])
    await first.daemon.start()
    const contacts = () => first.daemon.processView().contacts
    await expect.poll(contacts).toHaveLength(1)
    const second = new Machine('second', contacts())
    await second.daemon.start()
    await expect.poll(() => second.daemon.trunks().length, { timeout: 20_000 }).toBe(1)
    await second.end()
    expect(second.kept).toMatchObject([{ peer: first.self }])
    await first.end()
  },
)

test.skipIf(process.platform !== 'linux')(
  'leaves nothing behind when it is stopped while it starts',
  async () => {
    const listening = () => process.getActiveResourcesInfo().filter((each) => /(TCP|Pipe)Server/.test(each))
    // The end of a node does not wait long for libp2p, which goes on with its own.
    const nothingListens = () => expect.poll(listening, { timeout: 10_000 }).toEqual([])
    await nothingListens()
    for (const millis of [0, 5, 20, 50, 100, 200]) {
      const machine = new Machine(`stopped-${millis}`, [])
      const started = machine.daemon.start()
      if (millis > 0) await new Promise((done) => setTimeout(done, millis))
      await machine.end()
      await started
      await nothingListens()
      expect(existsSync(join(folder, `stopped-${millis}.sock`))).toBe(false)
      if (millis === 0) expect(() => machine.daemon.ask('list', [])).toThrow('the node is starting')
    }
  },
)

test.skipIf(process.platform !== 'linux')('takes on what its owner changes while it starts', async () => {
  const first = new Machine('named', [])
  await first.daemon.start()
  const contacts = () => first.daemon.processView().contacts
  await expect.poll(contacts).toHaveLength(1)
  const second = new Machine('reloaded', [])
  const started = second.daemon.start()
  second.reload(contacts())
  await started
  await expect.poll(() => second.daemon.trunks().length, { timeout: 20_000 }).toBe(1)
  await second.end()
  await first.end()
})
