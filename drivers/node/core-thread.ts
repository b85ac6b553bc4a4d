/**
 * The thread of the core: the Host, the interfaces and the verbs in one loop that sleeps in `ppoll` until a
 * frame, mail or a deadline comes. No thread pool, no timer and no turn of an event loop stands between a
 * frame and its packet. What the core asks of the world beyond interfaces goes to the main thread.
 */
import { workerData } from 'node:worker_threads'
import { openLibc } from '../linux/libc.ts'
import { deviceOpener } from '../tap/tun.ts'
import { coreFiles } from './core-files.ts'
import type { CoreStart } from './messages.ts'
import { NodeCore } from './node-core.ts'

const start = workerData as CoreStart
const libc = openLibc()
new NodeCore(start, libc, deviceOpener(libc), coreFiles(start.state, start.book)).run()
