/**
 * Records a run as it goes: what is drawn and how it changes, what happens, the curves. It only looks, so
 * that the run is the same with it and without, and keeps no more than a frame and what is drawn of a moment.
 *
 * Most changes are told within the step in which they happen. What nobody tells of (partitions, and who is
 * leaving, slow or hostile) is looked for every 100 ms and when a fault is planned; whatever else should have
 * gone unnoticed is found once a second, by comparing all of it.
 */
import { concat, utf8 } from '../../core/ids.ts'
import type { LinkId, Micros, NodeEvent } from '../../core/io.ts'
import type { SimNode } from '../node.ts'
import type { Onlooker, RunOptions, RunResult } from '../results.ts'
import { Run } from '../run.ts'
import type { Scenario } from '../scenario.ts'
import { isVisitorPort } from '../visitors.ts'
import { vlanOf } from '../vlans.ts'
import { aboutOf } from '../watch/about.ts'
import { detailOf, linksOf, measureAll, pairsOf, sidesOf, stateOf } from '../watch/look.ts'
import { Watcher } from '../watch/watcher.ts'
import { ByteWriter, crc32 } from './bytes.ts'
import { ChangeWriter, writeCheckpoint } from './codec.ts'
import { deltaOf, type Json } from './delta.ts'
import { Drawn } from './drawn.ts'
import { type Frame, frameBytes, writeHead, writeIndex, writePreamble } from './format.ts'
import { headerText } from './header.ts'
import {
  BUDGET_BYTES,
  BUDGET_NODES,
  CHECKPOINT_CHANGES,
  CHECKPOINT_MICROS,
  FRAME_BYTES,
  FRAME_MICROS,
  GLANCE_MICROS,
  LOOK_MICROS,
  MOST,
  SECOND_MICROS,
} from './limits.ts'
import { writeStory } from './story.ts'
import { Thinning } from './thinning.ts'

/** Where a recording goes. */
export interface Sink {
  append(bytes: Uint8Array): void
  /** Writes over what stands at the beginning. */
  rewrite(bytes: Uint8Array): void
}

export interface RecordingOptions {
  /** The scenario file, as it can be opened again. */
  readonly text: string
  /** What the program is called (`Header.version`). */
  readonly version: string
  /** Nodes whose tables are recorded every second. */
  readonly marks: readonly number[]
  readonly sink: Sink
}

export class Recorder {
  readonly run: Run
  readonly #sink: Sink
  readonly #header: Uint8Array
  readonly #marks: readonly number[]
  readonly #vlans: number
  readonly #watcher = new Watcher()
  readonly #drawn: Drawn
  readonly #changes = new ChangeWriter(0)
  readonly #thinning: Thinning
  /** Where it stops to look: planned instants, ascending, those that have passed left out. */
  readonly #planned: Micros[]
  /** Whom a tree link that a node holds leads to. */
  readonly #owners = new Map<LinkId, number>()
  /** By node, whom its links to neighbours lead to. */
  readonly #fars: Map<LinkId, number>[]
  /** Nodes whose upper may be another one since that time, once the step under way is done. */
  readonly #pending = { at: 0, nodes: new Set<number>() }
  readonly #frames: Frame[] = []
  /** Of all frames, for the index; none when they are too long for it. */
  readonly #stories: Uint8Array[] = []
  #storyBytes = 0
  #written = 0
  #hasBegun = false
  #frameFrom: Micros = 0
  #checkpoint: Uint8Array
  #checkpointAt: Micros = 0
  #changesSinceCheckpoint = 0

  /** Throws what the simulation throws for a scenario that cannot be run. */
  constructor(scenario: Scenario, options: RunOptions, { text, version, marks, sink }: RecordingOptions) {
    const { seed, dither = true, onProgress } = options
    const { count } = scenario.nodes
    this.#sink = sink
    this.#drawn = new Drawn(count)
    this.#fars = Array.from({ length: count }, () => new Map())
    const budget = Math.round(BUDGET_BYTES * Math.max(1, count / BUDGET_NODES))
    this.#thinning = new Thinning(budget, marks)
    this.run = new WatchedRun(
      scenario,
      {
        ...options,
        onlooker: this.#onlooker(),
        onProgress: (progress) => {
          this.#watcher.second()
          return onProgress?.(progress) ?? true
        },
      },
      (node, frame) => this.#arrived(node, frame),
    )
    this.#watcher.run = this.run
    const about = aboutOf(scenario, seed, this.run)
    this.#marks = marks
    this.#vlans = about.vlans.length
    this.#header = utf8(
      headerText({ version, scenario: text, seed, dither, marks, budgetBytesPerHour: budget, about }),
    )
    this.#planned = [...new Set(about.planned.flatMap(({ from, until }) => [from, until]))]
      .map((at) => Math.round(at * 1e6))
      .sort((a, b) => a - b)
    this.#checkpoint = writeCheckpoint(this.#drawn)
    this.#append(this.#preamble(0, 0, NO_DIGEST))
    this.#append(this.#header)
  }

  /** Bytes written so far. */
  get written(): number {
    return this.#written
  }

  /** Goes on to the next moment that it looks at. */
  step(): void {
    const { run } = this
    const now = run.world.now
    while ((this.#planned[0] ?? now + 1) <= now) this.#planned.shift()
    // The first look is at the very first instant.
    const next = !this.#hasBegun ? 0 : now + GLANCE_MICROS - (now % GLANCE_MICROS)
    this.#hasBegun = true
    run.step(Math.min(next, this.#planned[0] ?? next) / 1e6)
    this.#glance()
    const at = run.world.now
    if (at % SECOND_MICROS === 0 || run.done) this.#second(at)
    const isDue = at % FRAME_MICROS === 0 && at > this.#frameFrom
    if (isDue || this.#changes.length > FRAME_BYTES || this.#tooMany || run.done) this.#close(at)
  }

  /** Writes the end. What comes of the run goes into the recording and is handed back. */
  finish(): RunResult {
    const result = this.run.result()
    const index = writeIndex(this.#frames, JSON.stringify(result))
    const stories = concat(...this.#stories)
    const { now } = this.run.world
    const head = {
      isIndex: true,
      from: now,
      until: now,
      thinning: this.#thinning.exponent,
      checkpoint: 0,
      changes: index.length,
      story: stories.length,
      stateCrc: crc32(index),
      storyCrc: crc32(stories),
    }
    const indexAt = this.#written
    this.#append(writeHead(head))
    this.#append(index)
    this.#append(stories)
    this.#sink.rewrite(this.#preamble(indexAt, now, result.digest))
    return result
  }

  // What is told.

  #onlooker(): Onlooker {
    return {
      started: (node) => {
        this.#settle()
        this.#watcher.started(node)
        this.#state(node)
      },
      stopped: (node) => {
        this.#settle()
        this.#watcher.stopped(node)
        this.#stopped(node)
      },
      noted: (node, event) => {
        this.#settle()
        this.#watcher.noted(node, event)
        this.#noted(node, event)
      },
    }
  }

  #stopped(node: number): void {
    const { now } = this.run.world
    for (const [lower, upper] of this.#drawn.uppers.entries()) if (upper === node) this.#later(now, lower)
    for (const [link, owner] of this.#owners) if (owner === node) this.#owners.delete(link)
    this.#fars[node]?.clear()
    if (this.#drawn.setState(now, node, 0)) this.#changes.state(now, node, 0)
  }

  #noted(node: number, event: NodeEvent): void {
    const { world } = this.run
    const { now } = world
    if (event.kind === 'treeLink') {
      this.#owners.set(event.link, node)
      this.#later(now, node)
      const far = this.#owners.get((event.link ^ 1) as LinkId)
      if (far !== undefined) this.#later(now, far)
    } else if (event.kind === 'neighbourUp' || event.kind === 'neighbourDown') {
      const trunk = world.trunks.get(event.link >> 1)
      const fars = this.#fars[node] as Map<LinkId, number>
      const far = trunk?.node((event.link & 1) === 0 ? 1 : 0).index ?? fars.get(event.link)
      if (far === undefined) return
      if (event.kind === 'neighbourUp') fars.set(event.link, far)
      else fars.delete(event.link)
      this.#link(now, node, far)
    } else if (event.kind === 'group' && !isVisitorPort(event.port))
      this.#epoch(now, vlanOf(event.port), node)
  }

  #link(now: Micros, node: number, far: number): void {
    const { nodes, trunks } = this.run.world
    const here = nodes[node]
    if (here === undefined || !here.up) return
    const is = trunks.of(here).some((trunk) => {
      if (!trunk.joined) return false
      return trunk.node(0) === here ? trunk.node(1).index === far : trunk.node(0).index === far
    })
    if (this.#drawn.setLink(node, far, is)) this.#changes.link(now, node, far, is)
  }

  #epoch(now: Micros, vlan: number, node: number): void {
    const epoch = this.#watcher.epochOf(vlan, node)
    if (epoch >= 0 && this.#drawn.epochName(vlan, epoch) === undefined) {
      const name = this.#watcher.epochName(vlan, epoch)
      this.#drawn.nameEpoch(vlan, epoch, name)
      this.#changes.name(now, vlan, epoch, name)
    }
    if (this.#drawn.setEpoch(vlan, node, epoch)) this.#changes.epoch(now, vlan, node, epoch)
  }

  #arrived(node: number, frame: number): void {
    if (!this.#thinning.keeps(node, frame, this.#changes.packetBytes)) return
    // What is still to be looked at for an earlier time comes first.
    this.#settle()
    this.#changes.packet({ at: this.run.world.now, frame, node })
  }

  /** Whoever watches is told before the checks that uppers come from (Run.noted): looked at later. */
  #later(now: Micros, node: number): void {
    this.#pending.at = now
    this.#pending.nodes.add(node)
  }

  #settle(): void {
    const { at, nodes } = this.#pending
    if (nodes.size === 0) return
    for (const node of nodes) this.#upper(at, node)
    nodes.clear()
  }

  #upper(at: Micros, node: number): void {
    if (!this.#drawn.isUp(node)) return
    const upper = this.run.stage.cycles.upperOf(node) ?? -1
    if (this.#drawn.setUpper(node, upper)) this.#changes.upper(at, node, upper)
  }

  // What is looked for.

  #state(node: number): void {
    const { world, scenario } = this.run
    const here = world.nodes[node]
    if (here === undefined) return
    const state = stateOf(here, scenario.nodes.contacts)
    if (this.#drawn.setState(world.now, node, state)) this.#changes.state(world.now, node, state)
  }

  #glance(): void {
    this.#settle()
    this.#watcher.look()
    const { now, nodes } = this.run.world
    for (const { index } of nodes) this.#state(index)
    for (const [node, side] of sidesOf(this.run).entries())
      if (this.#drawn.setSide(node, side)) this.#changes.side(now, node, side)
  }

  #second(at: Micros): void {
    const { world, digest } = this.run
    this.#compare(at)
    for (const node of this.#marks) this.#detail(at, node)
    if (at % LOOK_MICROS === 0 || this.run.done) this.#look(at)
    this.#drawn.told = { at, messages: world.messages, digest }
    this.#changes.told(at, world.messages, digest)
  }

  /** All uppers and links. */
  #compare(at: Micros): void {
    const drawn = this.#drawn
    for (let node = 0; node < drawn.nodes; node++) this.#upper(at, node)
    const pairs = new Set(pairsOf(this.run))
    const both = [...drawn.links, ...pairs]
    for (const pair of both) {
      const [a, b, is] = [Math.floor(pair / drawn.nodes), pair % drawn.nodes, pairs.has(pair)]
      if (drawn.setLink(a, b, is)) this.#changes.link(at, a, b, is)
    }
  }

  #detail(at: Micros, node: number): void {
    if (!this.#drawn.isUp(node)) return
    const detail = JSON.parse(JSON.stringify(detailOf(this.run, node))) as Json
    const delta = deltaOf(this.#drawn.details.get(node), detail)
    if (delta === undefined) return
    this.#drawn.details.set(node, detail)
    this.#changes.detail(at, node, delta)
  }

  #look(at: Micros): void {
    const { nodes } = this.#drawn
    const numbers = new Map<string, number>()
    for (let vlan = 0; vlan < this.#vlans; vlan++) {
      const id = this.#watcher.vlanId(vlan)
      if (id !== undefined) numbers.set(id, vlan)
    }
    const links = linksOf(Float64Array.from(this.#drawn.links).sort(), nodes)
    const { carrying, ...rest } = measureAll(this.run, links, new Set(numbers.keys()))
    const trees = [...carrying].map(([id, tree]) => [numbers.get(id) as number, tree] as const)
    this.#drawn.looks = { ...rest, carrying: new Map(trees.filter(([, tree]) => tree.length > 0)) }
    this.#changes.looks(at, this.#drawn.looks, nodes)
  }

  // What is written.

  get #tooMany(): boolean {
    return this.#changesSinceCheckpoint + this.#changes.changes >= CHECKPOINT_CHANGES
  }

  #close(at: Micros): void {
    const { changes: count, packetBytes } = this.#changes
    const changes = this.#changes.take()
    const to = new ByteWriter()
    writeStory(to, this.#watcher.take(), this.#frameFrom)
    const story = to.take()
    const frame: Frame = {
      offset: this.#written,
      isIndex: false,
      from: this.#frameFrom,
      until: at,
      thinning: this.#thinning.exponent,
      checkpoint: this.#checkpoint.length,
      changes: changes.length,
      story: story.length,
      stateCrc: crc32(this.#checkpoint, changes),
      storyCrc: crc32(story),
    }
    for (const part of [writeHead(frame), this.#checkpoint, changes, story]) this.#append(part)
    this.#frames.push(frame)
    this.#storyBytes += story.length
    if (this.#storyBytes <= MOST.story) this.#stories.push(story)
    else this.#stories.length = 0
    this.#thinning.closed(at, this.#written, frameBytes(frame) - packetBytes)
    this.#changesSinceCheckpoint += count
    this.#frameFrom = at
    const isDue =
      at - this.#checkpointAt >= CHECKPOINT_MICROS || this.#changesSinceCheckpoint >= CHECKPOINT_CHANGES
    if (!isDue) this.#checkpoint = NOTHING
    else {
      this.#drawn.forgetNames()
      this.#checkpoint = writeCheckpoint(this.#drawn)
      this.#checkpointAt = at
      this.#changesSinceCheckpoint = 0
    }
  }

  /** `indexAt`: 0 while there is no end. */
  #preamble(indexAt: number, until: Micros, digest: string): Uint8Array {
    const headerBytes = this.#header.length
    const headerCrc = crc32(this.#header)
    return writePreamble({ headerBytes, headerCrc, indexAt, until, digest, thinning: this.#thinning.most })
  }

  #append(bytes: Uint8Array): void {
    this.#sink.append(bytes)
    this.#written += bytes.length
  }
}

const NOTHING = new Uint8Array(0)
const NO_DIGEST = '0'.repeat(16)

/** Tells of packets, too. */
class WatchedRun extends Run {
  readonly #tell: (node: number, frame: number) => void

  constructor(scenario: Scenario, options: RunOptions, tell: (node: number, frame: number) => void) {
    super(scenario, options)
    this.#tell = tell
  }

  override arrived(node: SimNode, frame: number, copy: boolean): void {
    this.#tell(node.index, frame)
    super.arrived(node, frame, copy)
  }
}
