/**
 * What cryptography costs with each provider, side by side in one run: `npm run bench:seal`, with `--json`
 * as JSON on standard output. The providers take turns in short rounds, so that whatever else the machine
 * does hits all of them; a figure is the median of the rounds. Ratios are to the fastest.
 *
 * Memory is what each of 100,000 operations leaves on the heap after a collection, how many bytes were
 * allocated there for it meanwhile, and by how much the process grew: a key or context that OpenSSL was
 * not given back would show there.
 */
import { getHeapStatistics } from 'node:v8'
import type { Crypto } from '../../core/crypto/ports.ts'
import { chooseCrypto, PROVIDERS, type Provider, sayChoice } from '../../drivers/crypto/provider.ts'
import { type Figure, median, printJson, printTable, thisMachine } from './figures.ts'

interface Operation {
  readonly name: string
  /** Most microseconds with the provider that is chosen here. */
  readonly targetMicros: number | null
  /** Whether 100,000 of them take no more than some seconds with any provider. */
  readonly cheap: boolean
  prepare(crypto: Crypto): () => void
}

const ROUNDS = 21
const ROUND_MILLIS = 10
/** Enough for the engine to compile and the caches to fill, with the slowest operation too. */
const WARM_MILLIS = 50

const MEMORY_OPERATIONS = 100_000
/** After the first ones the collector has made its spaces as large as it wants them. */
const MEMORY_WARM_OPERATIONS = 20_000
/** A byte for each of 100,000 operations is what the collector's own bookkeeping comes and goes by. */
const HEAP_TARGET_BYTES = 1
/** The smallest thing that could be lost, a key of OpenSSL, has some 300. */
const PROCESS_TARGET_BYTES = 50

/** A receiver meets packets of several senders in turn. */
const KEYS = Array.from({ length: 4 }, (_, index) => new Uint8Array(32).fill(index + 1))
const HEADER = new Uint8Array(49).fill(7)
const SEED = new Uint8Array(32).fill(5)
const MESSAGE = new Uint8Array(300).fill(8)

function text(size: number): string {
  return `${size.toLocaleString('en')} bytes`
}

function sealing(size: number, targetMicros: number | null): Operation {
  return {
    name: `seal ${text(size)}`,
    targetMicros,
    cheap: size < 10_000,
    prepare({ aead }) {
      const plain = new Uint8Array(size).fill(3)
      const packet = new Uint8Array(77 + size + 16)
      const nonce = new Uint8Array(12)
      let count = 0
      return () => {
        nonce[11] = count & 0xff
        // A view for each packet, as the group makes one.
        aead.seal(KEYS[count++ & 3] as Uint8Array, nonce, HEADER, plain, packet.subarray(77))
      }
    },
  }
}

function opening(size: number, targetMicros: number | null): Operation {
  return {
    name: `open ${text(size)}`,
    targetMicros,
    cheap: size < 10_000,
    prepare({ aead }) {
      const nonce = new Uint8Array(12)
      const out = new Uint8Array(size)
      const packets = KEYS.map((key) => {
        const packet = new Uint8Array(77 + size + 16)
        aead.seal(key, nonce, HEADER, new Uint8Array(size).fill(3), packet.subarray(77))
        return packet
      })
      let count = 0
      return () => {
        const packet = packets[count & 3] as Uint8Array
        const opened = aead.open(KEYS[count++ & 3] as Uint8Array, nonce, HEADER, packet.subarray(77), out)
        if (!opened) throw new Error('a packet did not open')
      }
    },
  }
}

const OPERATIONS: readonly Operation[] = [
  sealing(64, null),
  opening(64, null),
  sealing(1_500, 3),
  opening(1_500, 3),
  sealing(65_536, 35),
  opening(65_536, 35),
  {
    name: 'mask block',
    targetMicros: null,
    cheap: true,
    prepare({ aead }) {
      const block = new Uint8Array(16)
      const out = new Uint8Array(12)
      let count = 0
      return () => aead.mask(KEYS[count++ & 3] as Uint8Array, block, out)
    },
  },
  {
    name: 'sign',
    targetMicros: null,
    cheap: false,
    prepare:
      ({ signatures }) =>
      () =>
        signatures.sign(SEED, MESSAGE),
  },
  {
    name: 'verify',
    targetMicros: null,
    cheap: false,
    prepare({ signatures }) {
      const key = signatures.publicKey(SEED)
      const signature = signatures.sign(SEED, MESSAGE)
      return () => {
        if (!signatures.verify(key, MESSAGE, signature)) throw new Error('a signature did not fit')
      }
    },
  },
  {
    name: 'agreement',
    targetMicros: null,
    cheap: false,
    prepare({ agreement }) {
      const peer = agreement.publicKey(new Uint8Array(32).fill(6))
      return () => agreement.shared(SEED, peer)
    },
  },
  {
    name: 'derive 52 bytes',
    targetMicros: null,
    cheap: true,
    prepare({ kdf }) {
      const info = new Uint8Array(23)
      return () => kdf.expand(kdf.extract(SEED, HEADER), info, 52)
    },
  },
]

/** Microseconds for each of `times` runs. */
function time(run: () => void, times: number): number {
  const from = process.hrtime.bigint()
  for (let count = 0; count < times; count++) run()
  return Number(process.hrtime.bigint() - from) / 1_000 / times
}

/** How often it runs in one round; warms it up. */
function timesInRound(run: () => void): number {
  let times = 1
  let spentMillis = 0
  let micros = 0
  while (spentMillis < WARM_MILLIS) {
    micros = time(run, times)
    spentMillis += (micros * times) / 1_000
    times *= 2
  }
  return Math.max(1, Math.round((ROUND_MILLIS * 1_000) / micros))
}

/** Microseconds for each provider, by the order of the list. */
function race(operation: Operation, providers: readonly Crypto[]): number[] {
  const runs = providers.map((crypto) => operation.prepare(crypto))
  const times = runs.map(timesInRound)
  const rounds: number[][] = runs.map(() => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, run] of runs.entries()) rounds[index]?.push(time(run, times[index] as number))
  }
  return rounds.map(median)
}

interface Growth {
  readonly heapBytes: number
  readonly processBytes: number
  readonly garbageBytes: number
}

/** Bytes for each operation. */
function growth(run: () => void): Growth {
  for (let count = 0; count < MEMORY_WARM_OPERATIONS; count++) run()
  const before = settled()
  for (let count = 0; count < MEMORY_OPERATIONS; count++) run()
  const after = settled()
  return {
    heapBytes: (after.heap - before.heap) / MEMORY_OPERATIONS,
    processBytes: (after.rss - before.rss) / MEMORY_OPERATIONS,
    garbageBytes: (after.allocated - before.allocated) / MEMORY_OPERATIONS,
  }
}

function settled(): { readonly heap: number; readonly rss: number; readonly allocated: number } {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc, as npm run bench:seal does')
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed + external, rss, allocated: getHeapStatistics().total_allocated_bytes }
}

function figure(name: string, value: number, unit: string, target: number | null): Figure {
  const rounded = Number(value.toPrecision(3))
  return { name, value: rounded, unit, target, ok: target === null ? null : value <= target }
}

function speeds(providers: readonly Provider[], cryptos: readonly Crypto[], chosen: string): Figure[] {
  return OPERATIONS.flatMap((operation) => {
    const micros = race(operation, cryptos)
    const fastest = Math.min(...micros)
    return providers.flatMap(({ name }, index) => {
      const value = micros[index] as number
      const target = name === chosen ? operation.targetMicros : null
      return [
        figure(`${operation.name}, ${name}`, value, 'µs', target),
        figure(`${operation.name}, ${name} / fastest`, value / fastest, '', null),
      ]
    })
  })
}

/** The dear operations with the chosen provider only: 100,000 of them would take minutes in others. */
function memory(provider: string, crypto: Crypto, chosen: string): Figure[] {
  const judged = provider === chosen
  return OPERATIONS.filter(({ cheap }) => cheap || judged).flatMap(({ name, prepare }) => {
    const { heapBytes, processBytes, garbageBytes } = growth(prepare(crypto))
    return [
      figure(`${name}, ${provider}: garbage`, garbageBytes, 'B', null),
      figure(`${name}, ${provider}: heap kept`, heapBytes, 'B', judged ? HEAP_TARGET_BYTES : null),
      figure(`${name}, ${provider}: process grew`, processBytes, 'B', judged ? PROCESS_TARGET_BYTES : null),
    ]
  })
}

function measure(chosen: string): Figure[] {
  const providers = PROVIDERS.filter(({ name }) => works(name))
  const cryptos = providers.map(({ open }) => open())
  // Memory first, fastest provider first: later the process is large and may shrink while it is watched.
  const grown = providers.flatMap(({ name }, index) => memory(name, cryptos[index] as Crypto, chosen))
  return [...speeds(providers, cryptos, chosen), ...grown]
}

/** Whether the provider can be had on this machine. */
function works(name: string): boolean {
  try {
    return chooseCrypto(PROVIDERS.filter((provider) => provider.name === name)).name === name
  } catch {
    return false
  }
}

function main(): void {
  const choice = chooseCrypto()
  const figures = measure(choice.name)
  const machine = thisMachine({ openssl: process.versions.openssl, crypto: sayChoice(choice) })
  if (process.argv.includes('--json')) printJson(machine, figures)
  else printTable(Object.values(machine).join(', '), figures)
}

main()
