/**
 * The page of `viz/` as files in memory, built by Vite when somebody wants to see it: nothing built lies
 * about that could be older than its sources. It knows the page by its folder and imports nothing of it.
 */
import { join } from 'node:path'
import { build, type Plugin, type Rollup } from 'vite'
import { REPOSITORY } from '../program.ts'
import { pageVersion } from './version.ts'

export interface PageFile {
  readonly type: string
  readonly bytes: Uint8Array
}

/** By the path behind the origin; `/` is the page. */
export type Page = ReadonlyMap<string, PageFile>

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
}

/** Takes a second or a few. */
export async function buildPage(): Promise<Page> {
  const made = await build({
    configFile: false,
    root: join(REPOSITORY, 'viz'),
    base: './',
    logLevel: 'error',
    plugins: [versioned(pageVersion())],
    worker: { format: 'es' },
    build: { write: false, target: 'es2022', modulePreload: false, chunkSizeWarningLimit: 1_000 },
  })
  const files = new Map<string, PageFile>()
  for (const file of (made as Rollup.RollupOutput).output) {
    const source = file.type === 'chunk' ? file.code : file.source
    const bytes = typeof source === 'string' ? Buffer.from(source) : source
    const type = TYPES[file.fileName.split('.').at(-1) as string] ?? 'application/octet-stream'
    const path = file.fileName === 'index.html' ? '/' : `/${file.fileName}`
    files.set(path, { type, bytes })
  }
  return files
}

/** The page knows which program it is. */
function versioned(text: string): Plugin {
  return {
    name: 'peertap-version',
    transformIndexHtml: () => [
      { tag: 'meta', attrs: { name: 'peertap-version', content: text }, injectTo: 'head' },
    ],
  }
}
