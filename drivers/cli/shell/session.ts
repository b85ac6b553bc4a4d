/**
 * A session of the shell: takes lines one after the other, lets simulated time pass until what they ask for
 * is done, and says what came of it. It knows neither files nor terminals. A pure function of scenario, seed
 * and lines.
 */
import { UsageError } from '../../../core/errors.ts'
import { MILLISECOND, type Micros, type NodeEvent, SECOND } from '../../../core/io.ts'
import { decimal, formatNumber, type Live, nearestName, type Violation } from '../../../sim/index.ts'
import { type Outcome, REFUSAL } from '../../control/outcome.ts'
import { SimulatedNode } from '../../control/simulated.ts'
import { WIDTH, wrapWords } from '../table.ts'
import { type Action, Commands, helpLines } from './commands.ts'
import { Stations } from './stations.ts'
import { readLine } from './words.ts'

/** Time passes in such steps while something is waited for. */
const TICK: Micros = 10 * MILLISECOND
/** And in such steps while nothing is: whatever breaks is told that soon. */
const STRIDE: Micros = SECOND
/** Left alone and not settled; more are refused. Guess. */
const LEFT_ALONE_MAX = 256
/** Variables of one session. Guess. */
const VARIABLES_MAX = 4_096

/** What is said: a line for people, an object for machines. */
export interface Spoken {
  readonly kind: 'answer' | 'event' | 'violation'
  readonly at: Micros
  /** The command, where its answer comes later than the next one. */
  readonly to?: string | undefined
  readonly lines: readonly string[]
  readonly value: object
}

/** `failed`: something was refused that was not expected to be, or the other way round. */
export type Performed = 'done' | 'failed' | 'quit'

interface Order {
  /** From 1. */
  readonly line: number
  readonly text: string
  readonly assigns: string | undefined
  readonly expects: string | undefined
  readonly isLeftAlone: boolean
}
interface LeftAlone {
  readonly order: Order
  readonly action: Action
}

export class Session {
  readonly #live: Live
  readonly #commands: Commands
  readonly #speak: (spoken: Spoken) => void
  readonly #variables = new Map<string, string>()
  #leftAlone: LeftAlone[] = []
  #violations = 0

  constructor(live: Live, speak: (spoken: Spoken) => void) {
    this.#live = live
    this.#speak = speak
    const nodes: SimulatedNode[] = []
    const stations = new Stations(nodes, () => live.now)
    const bystander = {
      noted: (node: number, event: NodeEvent) => this.#noted(node, event),
      delivered: (...told: Parameters<Stations['delivered']>) => stations.delivered(...told),
    }
    for (let index = 0; index < live.nodes; index++) nodes.push(new SimulatedNode(live, index, bystander))
    this.#commands = new Commands(live, nodes, stations)
  }

  /** Something that must never happen has happened. */
  get isBroken(): boolean {
    return this.#live.violations.length > 0
  }

  /** A UsageError for a line that asks for nothing that there is. */
  perform(line: number, text: string): Performed {
    const read = readLine(text, this.#variables)
    if (read === undefined) return 'done'
    // A node that was started on the line before has come back to its VLANs by now.
    this.#pass(this.#live.now)
    const { assigns, isLeftAlone } = read
    return this.#obey({ line, text: text.trim(), assigns, expects: undefined, isLeftAlone }, read.words)
  }

  /** Waits for all that was left alone. */
  finish(): Performed {
    return this.#await(() => this.#leftAlone.length === 0)
  }

  // Within.

  #obey(order: Order, words: readonly string[]): Performed {
    const [first = '', ...rest] = words
    switch (first) {
      case 'run':
        checkAlone(order, first)
        return this.#run(this.#live.now + microsOf(first, rest))
      case 'at':
        return this.#atTime(order, rest)
      case 'expect':
        return this.#expect(order, rest)
      case 'wait':
        checkAlone(order, first)
        if (rest.length > 0) throw new UsageError('wait waits for all that was left alone; write wait')
        return this.finish()
      case 'help':
        checkAlone(order, first)
        this.#say(order, { ok: true, help: helpLines(rest) }, helpLines(rest))
        return 'done'
      case 'quit':
        return 'quit'
      default:
        return this.#begin(order, words)
    }
  }

  #atTime(order: Order, [text = '', ...command]: readonly string[]): Performed {
    if (command.length === 0) checkAlone(order, 'at')
    const until = microsOf('at', [text])
    if (until < this.#live.now) {
      const now = formatNumber(this.#live.now / SECOND)
      throw new UsageError(`at ${text}: it is ${now} s already; name a later time, or leave out the at`)
    }
    const performed = this.#run(until)
    return performed !== 'done' || command.length === 0 ? performed : this.#obey(order, command)
  }

  #expect(order: Order, [refusal = '', ...command]: readonly string[]): Performed {
    if (!Object.hasOwn(REFUSAL, refusal)) {
      const names = Object.keys(REFUSAL)
      const meant = nearestName(refusal, names)
      const mend = meant === undefined ? `it is one of ${names.join(', ')}` : `did you mean ${meant}?`
      throw new UsageError(`expect "${refusal}": there is no such refusal; ${mend}`)
    }
    const [first = ''] = command
    if (ITSELF.includes(first)) throw new UsageError(`${first} is never refused; write it without expect`)
    return this.#begin({ ...order, expects: refusal }, command)
  }

  #begin(order: Order, words: readonly string[]): Performed {
    const { isLeftAlone, assigns } = order
    if (isLeftAlone && assigns !== undefined)
      throw new UsageError(`$${assigns} would be set too late to be of use; leave out the &`)
    if (isLeftAlone && this.#leftAlone.length >= LEFT_ALONE_MAX)
      throw new UsageError(`${LEFT_ALONE_MAX} commands are left alone already, as many as may be; write wait`)
    const action = this.#commands.begin(words)
    if (isLeftAlone) {
      this.#leftAlone.push({ order, action })
      return 'done'
    }
    const waited = this.#await(() => action.pending.outcome !== undefined)
    const told = action.pending.outcome === undefined ? waited : this.#tell(order, action)
    return waited === 'failed' ? 'failed' : told
  }

  /** Says what came of it; whether that was what was wanted. */
  #tell(order: Order, { pending, answer }: Action): Performed {
    const outcome = pending.outcome as Outcome<object>
    const { expects } = order
    if (!outcome.ok) {
      const { refusal, message } = outcome
      const isWanted = expects === refusal
      const unlike = expects === undefined || isWanted ? '' : `, and ${expects} was expected`
      const line = `refused (${refusal}${unlike}): ${message}`
      this.#say(order, { ok: isWanted, refusal, message }, wrapWords(line.split(' '), WIDTH - 2, 2))
      return isWanted ? 'done' : 'failed'
    }
    const { value, lines, texts = [] } = answer(outcome.value as never)
    this.#assign(order.assigns, texts)
    const isWanted = expects === undefined
    const more = isWanted ? [] : [`and should have been refused (${expects})`]
    this.#say(order, { ok: isWanted, result: value, ...(isWanted ? {} : { expected: expects }) }, [
      ...lines,
      ...more,
    ])
    return isWanted ? 'done' : 'failed'
  }

  #assign(name: string | undefined, texts: readonly string[]): void {
    if (name === undefined) return
    const [first] = texts
    if (first === undefined)
      throw new UsageError(
        `$${name} can hold an invitation, and nothing of this answer; leave out $${name} =`,
      )
    if (this.#variables.size + texts.length > VARIABLES_MAX)
      throw new UsageError(
        `${this.#variables.size} variables, the most there may be; use the ones that are there`,
      )
    this.#variables.set(name, first)
    for (const [index, text] of texts.entries()) this.#variables.set(`${name}.${index + 1}`, text)
  }

  #run(until: Micros): Performed {
    return this.#await(() => this.#live.now >= until, until)
  }

  /** Lets time pass; what was left alone is told of as it is settled. */
  #await(isEnough: () => boolean, until = Number.POSITIVE_INFINITY): Performed {
    const live = this.#live
    let performed = this.#lookAround()
    while (!isEnough()) {
      if (live.done || live.now >= live.endsAt) {
        if (this.isBroken) return 'failed'
        const seconds = formatNumber(live.endsAt / SECOND)
        throw new UsageError(`the scenario ends at ${seconds} s; give it more time, with --set seconds=86400`)
      }
      const tick = this.#leftAlone.length === 0 && until <= live.endsAt ? STRIDE : TICK
      this.#pass(Math.min(live.now + tick, until, live.endsAt))
      if (this.#lookAround() === 'failed') performed = 'failed'
    }
    return performed
  }

  /** What people asked for was checked before: a wrong call while time passes is a fault of ours. */
  #pass(until: Micros): void {
    try {
      this.#live.run(until)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      throw new Error(`while time passed: ${error.message}`, { cause: error })
    }
  }

  #lookAround(): Performed {
    let performed: Performed = 'done'
    for (const violation of this.#live.violations.slice(this.#violations)) {
      this.#violations += 1
      performed = 'failed'
      this.#speak({
        kind: 'violation',
        at: this.#live.now,
        lines: [violationLine(violation)],
        value: violation,
      })
    }
    const settled = this.#leftAlone.filter(({ action }) => action.pending.outcome !== undefined)
    this.#leftAlone = this.#leftAlone.filter((each) => !settled.includes(each))
    for (const { order, action } of settled) if (this.#tell(order, action) === 'failed') performed = 'failed'
    return performed
  }

  #noted(index: number, event: NodeEvent): void {
    if (event.kind !== 'group') return
    const { kind } = event.event
    if (kind !== 'ended' && kind !== 'invitationUsedTwice' && kind !== 'stuck' && kind !== 'equivocation')
      return
    const { kind: _, ...rest } = event.event
    const node = `node${index}`
    const words = Object.values(rest).map((each) => String(each))
    const line = `${node}: ${TOLD[kind]}${words.length === 0 ? '' : ` (${words.join(', ')})`}`
    this.#speak({ kind: 'event', at: this.#live.now, lines: [line], value: { node, event: kind, ...rest } })
  }

  #say({ line, text, isLeftAlone }: Order, value: object, lines: readonly string[]): void {
    const to = isLeftAlone ? text : undefined
    this.#speak({ kind: 'answer', at: this.#live.now, to, lines, value: { line, command: text, ...value } })
  }
}

/** What an owner is told without having asked. */
const TOLD = {
  ended: 'this member is out',
  invitationUsedTwice: 'two keys redeemed one invitation',
  stuck: 'it cannot follow its group and asks to be added again',
  equivocation: 'a member made two commits for one parent',
} as const

/** Words of the session itself, which begin nothing that could be refused or kept. */
const ITSELF = ['run', 'at', 'wait', 'expect', 'help', 'quit']

function checkAlone({ assigns, isLeftAlone }: Order, word: string): void {
  if (assigns !== undefined) throw new UsageError(`${word} answers nothing; leave out $${assigns} =`)
  if (isLeftAlone) throw new UsageError(`${word} is not waited for anyway; leave out the &`)
}

function microsOf(command: string, words: readonly string[]): Micros {
  const [text = '', ...more] = words
  const seconds = decimal(text) ?? Number.NaN
  if (more.length === 0 && seconds >= 0 && seconds <= 864_000) return Math.round(seconds * SECOND)
  throw new UsageError(
    `${command} ${words.join(' ')}: it takes a number of seconds, up to 864000; write ${command} 10`,
  )
}

function violationLine({ kind, node, detail }: Violation): string {
  return `VIOLATION${node < 0 ? '' : ` at node${node}`}: ${kind}: ${detail}`
}
