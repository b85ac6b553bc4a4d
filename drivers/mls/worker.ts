/**
 * The thread that does MLS: one engine, one job after another. It knows nothing of deadlines; whoever
 * started it ends it when a job takes too long (runner.ts).
 */
import { parentPort } from 'node:worker_threads'
import { TsMlsEngine } from '../../core/mls/tsmls.ts'
import { chooseCrypto } from '../crypto/provider.ts'
import { serve } from './serve.ts'

if (parentPort !== null) serve(parentPort, new TsMlsEngine(chooseCrypto().crypto))
