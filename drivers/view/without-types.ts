/** Thread that reads files and takes the types out of those that have some (operator.ts). */
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

const paths = workerData as readonly string[]
parentPort?.postMessage(
  paths.map((path) => {
    const text = readFileSync(path, 'utf8')
    return path.endsWith('.ts') ? stripTypeScriptTypes(text) : text
  }),
)
