/**
 * The operator's page (viz/operator) as files in memory. It is small enough to go without a bundler: its
 * modules are sent as they are, with their types taken out. So a node serves it with what it has, and a page
 * is never older than its program.
 */
import { readdirSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { REPOSITORY } from '../program.ts'
import { type Page, typeOf } from './files.ts'

/** Where it is found below an origin. */
export const OPERATOR_PATH = '/operator/'

/** What it takes from the picture's page. */
const SHARED: readonly string[] = ['parts/elements.ts', 'parts/token.ts', 'source/node-api.ts']

/** Takes some tenths of a second, in a thread of its own: nobody waits for it or keeps what it needed. */
export async function operatorPage(): Promise<Page> {
  const names = [...readdirSync(`${REPOSITORY}/viz/operator`).map((name) => `operator/${name}`), ...SHARED]
  const texts = await withoutTypes(names.map((name) => `${REPOSITORY}/viz/${name}`))
  const files = names.map((name, index) => {
    const file = { type: typeOf(name), bytes: Buffer.from(texts[index] as string) }
    return [name === 'operator/index.html' ? OPERATOR_PATH : `/${name}`, file] as const
  })
  return new Map(files)
}

function withoutTypes(paths: readonly string[]): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const options = { workerData: paths, execArgv: ['--no-warnings'] }
    const worker = new Worker(new URL('./without-types.ts', import.meta.url), options)
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the page could not be read')))
  })
}
