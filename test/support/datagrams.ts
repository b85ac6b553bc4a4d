/** UDP datagrams between programs on hosts: who hears which of them. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { DatagramOrder } from './datagrams-child.ts'
import type { Namespace } from './namespaces.ts'
import { REPOSITORY } from './requirements.ts'

const CHILD = join(REPOSITORY, 'test/support/datagrams-child.ts')

type Of<K extends DatagramOrder['kind']> = Omit<Extract<DatagramOrder, { readonly kind: K }>, 'kind'>

/** A program that hears datagrams, from when `hearer` resolves. */
export class Hearer {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(host: Namespace, order: Of<'hear'>) {
    this.#child = child(host, { kind: 'hear', ...order })
    const input = this.#child.stdout as NodeJS.ReadableStream
    this.#lines = createInterface({ input })[Symbol.asyncIterator]()
  }

  async ready(): Promise<this> {
    await this.#next()
    return this
  }

  /** The numbers that came so far, in their order. */
  async heard(): Promise<readonly number[]> {
    this.#child.stdin?.write('\n')
    return (await this.#next())['numbers'] as number[]
  }

  close(): void {
    this.#child.stdin?.end()
  }

  async #next(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the program that hears datagrams ended')
    return JSON.parse(value) as Record<string, unknown>
  }
}

export function hearer(host: Namespace, order: Of<'hear'>): Promise<Hearer> {
  return new Hearer(host, order).ready()
}

/** Sends them, to the last. */
export async function sendDatagrams(host: Namespace, order: Of<'send'>): Promise<void> {
  const [code] = (await once(child(host, { kind: 'send', ...order }), 'exit')) as [number | null]
  if (code !== 0) throw new Error(`the program that sends datagrams ended with ${code}`)
}

function child(host: Namespace, order: DatagramOrder): ChildProcess {
  return host.spawn(process.execPath, [CHILD, JSON.stringify(order)], { stdio: ['pipe', 'pipe', 'inherit'] })
}
