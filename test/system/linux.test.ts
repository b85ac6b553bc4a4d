/** Waiting, bells and clocks of Linux, on real time and in several threads. No privilege is needed. */
import { getHeapStatistics } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { InvariantError, UsageError } from '../../core/errors.ts'
import { createClock } from '../../drivers/linux/clock.ts'
import { Doorbell } from '../../drivers/linux/doorbell.ts'
import { ERRNO, errnoName, type Koffi, type Libc, openLibc, refuse } from '../../drivers/linux/libc.ts'
import { POLL, Poller } from '../../drivers/linux/poller.ts'

const SECOND = 1_000_000
const isLinux = process.platform === 'linux'

/** Collecting the tests must not fail where they are left out. */
const libc = isLinux ? openLibc() : ({} as Libc)
const bells: Doorbell[] = []

function makeBell(): Doorbell {
  const bell = new Doorbell(libc)
  bells.push(bell)
  return bell
}

afterEach(() => {
  for (const bell of bells.splice(0)) bell.close()
})

/** Descriptors that are ready, as they are found. */
function readyOf(poller: Poller, timeoutMicros = 0): number[] {
  return Array.from({ length: poller.wait(timeoutMicros) }, (_, index) => poller.fdAt(index))
}

describe.skipIf(!isLinux)('a poller', () => {
  test('waits for microseconds, not less than asked and not for whole milliseconds', () => {
    const clock = createClock(libc)
    const poller = new Poller(libc)
    poller.add(makeBell().fd)
    const took = Array.from({ length: 100 }, () => {
      const from = clock.monotonicMicros()
      expect(poller.wait(250)).toBe(0)
      return clock.monotonicMicros() - from
    })
    expect(Math.min(...took)).toBeGreaterThanOrEqual(249)
    // Other programs may hold up most of them, but not all.
    expect(Math.min(...took)).toBeLessThan(900)
    const from = clock.monotonicMicros()
    expect(poller.wait(1_200_000.5)).toBe(0)
    expect(clock.monotonicMicros() - from).toBeGreaterThanOrEqual(1_200_000)
  })

  test.each([0, -1, -1e12])('only looks with a timeout of %d', (timeout) => {
    const bell = makeBell()
    const poller = new Poller(libc)
    poller.add(bell.fd)
    expect(readyOf(poller, timeout)).toEqual([])
    bell.ring()
    expect(readyOf(poller, timeout)).toEqual([bell.fd])
  })

  test('waits as good as for ever where there is no deadline, and wakes all the same', () => {
    const bell = makeBell()
    bell.ring()
    const poller = new Poller(libc)
    poller.add(bell.fd)
    for (const timeout of [Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY]) {
      expect(readyOf(poller, timeout)).toEqual([bell.fd])
    }
  })

  test('finds those of many that are ready, in the order of their adding', () => {
    const many = Array.from({ length: 50 }, makeBell)
    const poller = new Poller(libc)
    for (const { fd } of many) poller.add(fd)
    const rung = many.filter((_, index) => index % 7 === 3)
    for (const bell of rung) bell.ring()
    expect(readyOf(poller)).toEqual(rung.map(({ fd }) => fd))
    for (const { fd } of rung.slice(1)) poller.remove(fd)
    expect(readyOf(poller)).toEqual([rung[0]?.fd])
    expect(poller.size).toBe(50 - rung.length + 1)
    poller.remove(12_345)
    expect(poller.size).toBe(50 - rung.length + 1)
    for (const bell of rung) poller.add(bell.fd)
    expect(readyOf(poller)).toEqual(rung.map(({ fd }) => fd))
  })

  test('looks for the events that were asked for last', () => {
    const bell = makeBell()
    const poller = new Poller(libc)
    poller.add(bell.fd, POLL.readable | POLL.writable)
    expect(readyOf(poller)).toEqual([bell.fd])
    expect(poller.eventsAt(0)).toBe(POLL.writable)
    poller.add(bell.fd)
    expect(poller.size).toBe(1)
    expect(readyOf(poller)).toEqual([])
    bell.ring()
    expect(readyOf(poller)).toEqual([bell.fd])
    expect(poller.eventsAt(0)).toBe(POLL.readable)
  })

  test('says of a closed descriptor that it is none', () => {
    const bell = makeBell()
    const poller = new Poller(libc)
    poller.add(bell.fd)
    bell.close()
    expect(readyOf(poller)).toEqual([bell.fd])
    expect(poller.eventsAt(0)).toBe(POLL.invalid)
  })

  test.each([-1, 0.5, Number.NaN])('refuses the descriptor %d', (fd) => {
    expect(() => new Poller(libc).add(fd)).toThrow(InvariantError)
  })

  test('ends early when a signal comes, and tells of any other failure', () => {
    const failing = (errno: number): Libc => ({ ...libc, ppoll: () => -1, errno: () => errno })
    expect(new Poller(failing(ERRNO.EINTR)).wait(SECOND)).toBe(0)
    expect(() => new Poller(failing(ERRNO.EINVAL)).wait(SECOND)).toThrow(
      'ppoll of 0 descriptors failed: EINVAL',
    )
  })
})

describe.skipIf(!isLinux)('a bell', () => {
  test('is rung once however often, and is silent when cleared', () => {
    const bell = makeBell()
    const poller = new Poller(libc)
    poller.add(bell.fd)
    expect(bell.clear()).toBe(false)
    for (let count = 0; count < 1_000; count++) bell.ring()
    expect(readyOf(poller)).toEqual([bell.fd])
    expect(bell.clear()).toBe(true)
    expect(bell.clear()).toBe(false)
    expect(readyOf(poller)).toEqual([])
  })

  test('wakes a thread that waits, from another thread that knows its number', async () => {
    const bell = makeBell()
    const clock = createClock(libc)
    const here = new URL('../../drivers/linux/', import.meta.url)
    const code = `
      const { workerData, parentPort } = require('node:worker_threads')
      const files = ['libc.ts', 'doorbell.ts'].map((file) => import('${here}' + file))
      Promise.all(files).then(([{ openLibc }, { Doorbell }]) => {
        const bell = new Doorbell(openLibc(), workerData.fd)
        parentPort.postMessage('ready')
        const begun = new Int32Array(workerData.begun)
        Atomics.wait(begun, 0, 0)
        Atomics.wait(begun, 1, 0, 50)
        bell.ring()
      })`
    const begun = new SharedArrayBuffer(8)
    const worker = new Worker(code, { eval: true, workerData: { fd: bell.fd, begun } })
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    const poller = new Poller(libc)
    poller.add(bell.fd)
    Atomics.store(new Int32Array(begun), 0, 1)
    Atomics.notify(new Int32Array(begun), 0)
    const from = clock.monotonicMicros()
    expect(readyOf(poller, 30 * SECOND)).toEqual([bell.fd])
    const took = clock.monotonicMicros() - from
    expect(took).toBeGreaterThan(1_000)
    expect(took).toBeLessThan(10 * SECOND)
    await worker.terminate()
  })

  test('does not ring any more when it is closed, though its number has another owner', () => {
    const bell = makeBell()
    bell.close()
    const heir = makeBell()
    expect(heir.fd).toBe(bell.fd)
    bell.ring()
    expect(heir.clear()).toBe(false)
    heir.ring()
    expect(bell.clear()).toBe(false)
    bell.close()
    expect(heir.clear()).toBe(true)
  })

  test('cannot be had where too many files are open', () => {
    const full: Libc = { ...libc, eventfd: () => -1, errno: () => ERRNO.EMFILE }
    expect(() => new Doorbell(full)).toThrow(UsageError)
    expect(() => new Doorbell(full)).toThrow('could not make an eventfd: this process has as many files open')
  })
})

describe.skipIf(!isLinux)('the clock', () => {
  test('is the monotonic one, in integer microseconds', () => {
    const clock = createClock(libc)
    const before = process.hrtime.bigint() / 1_000n
    const now = clock.monotonicMicros()
    const after = process.hrtime.bigint() / 1_000n
    expect(Number.isSafeInteger(now)).toBe(true)
    expect(now).toBeGreaterThanOrEqual(Number(before))
    expect(now).toBeLessThanOrEqual(Number(after))
  })

  test('tells how long the machine was suspended', () => {
    const clock = createClock(libc)
    const suspended = clock.suspendedMicros()
    expect(Math.abs(clock.suspendedMicros() - suspended)).toBeLessThan(100_000)
    expect(suspended).toBeGreaterThanOrEqual(0)

    // CLOCK_BOOTTIME is 7; a day ahead after a day of sleep.
    let sleptSeconds = 0
    const sleeping: Libc = {
      ...libc,
      pin(length) {
        const pinned = libc.pin(length)
        this.clock_gettime = (clock) => {
          pinned.view.setBigUint64(0, BigInt(100 + (clock === 7 ? sleptSeconds : 0)), true)
          pinned.view.setBigUint64(8, 999_999_999n, true)
          return 0
        }
        return pinned
      },
    }
    const asleep = createClock(sleeping)
    expect(asleep.monotonicMicros()).toBe(100_999_999)
    expect(asleep.suspendedMicros()).toBe(0)
    sleptSeconds = 86_400
    expect(asleep.suspendedMicros()).toBe(86_400 * SECOND)
  })
})

describe.skipIf(!isLinux)('calls of the C library', () => {
  test('allocate nothing', () => {
    const bell = makeBell()
    const poller = new Poller(libc)
    poller.add(bell.fd)
    const into = new Uint8Array(2_000)
    const round = () => {
      bell.ring()
      if (poller.wait(0) !== 1 || poller.fdAt(0) !== bell.fd || !bell.clear()) throw new Error('not rung')
      if (libc.read(bell.fd, into, into.length) !== -1 || libc.errno() !== ERRNO.EAGAIN) {
        throw new Error('there was something to read')
      }
    }
    const rounds = 60_000
    const batches = Array.from({ length: 3 }, () => {
      const before = getHeapStatistics().total_allocated_bytes
      for (let count = 0; count < rounds; count++) round()
      return (getHeapStatistics().total_allocated_bytes - before) / rounds
    })
    // The engine compiles during the first, and counts by the 200 KB that it sets aside at a time. The
    // smallest object has 12 bytes.
    expect(Math.min(...batches)).toBeLessThan(8)
  })

  test('have their memory where it stays', () => {
    for (const length of [1, 8, 64, 65, 4_096]) {
      const { bytes, view, address } = libc.pin(length)
      expect(bytes).toEqual(new Uint8Array(length))
      expect(view.byteLength).toBe(length)
      view.setUint8(length - 1, 9)
      expect(bytes[length - 1]).toBe(9)
      expect(address).toBeGreaterThan(0n)
    }
  })

  test('fail by names that people know', () => {
    expect(errnoName(ERRNO.EBUSY)).toBe('EBUSY')
    expect(errnoName(ERRNO.EBADFD)).toBe('EBADFD')
    expect(errnoName(111)).toBe('ECONNREFUSED')
    expect(errnoName(4_000)).toBe('errno 4000')
    expect(() => refuse('dance', ERRNO.ENOMEM)).toThrow(
      'could not dance: the system has no memory left for it',
    )
    expect(() => refuse('dance', ERRNO.EINVAL)).toThrow(InvariantError)
    expect(() => refuse('dance', ERRNO.EINVAL)).toThrow('could not dance: EINVAL')
  })

  test.each([
    ['platform', 'darwin', 'network interfaces of darwin on'],
    ['arch', 'mips', 'on mips are not known here; use Linux on one of x64'],
  ] as const)('are refused where the %s is %s', (property, value, message) => {
    const original = Object.getOwnPropertyDescriptor(process, property) as PropertyDescriptor
    Object.defineProperty(process, property, { ...original, value })
    try {
      expect(() => openLibc()).toThrow(UsageError)
      expect(() => openLibc()).toThrow(message)
    } finally {
      Object.defineProperty(process, property, original)
    }
  })

  test('say what is missing where koffi is', () => {
    const missing = (): Koffi => {
      throw new Error("Cannot find module 'koffi'")
    }
    expect(() => openLibc(missing)).toThrow("Cannot find module 'koffi'")
  })
})
