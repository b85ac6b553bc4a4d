/**
 * The page of `viz/` as files in memory, built by Vite when somebody wants to see it: nothing built lies
 * about that could be older than its sources. It knows the page by its folder and imports nothing of it.
 */
import { join } from 'node:path'
import { build, type Plugin, type Rollup } from 'vite'
import { REPOSITORY } from '../program.ts'
import { type Page, typeOf } from './files.ts'
import type { PageFile } from './packed.ts'
import { pageVersion } from './version.ts'

/** `/` is the page. Takes a second or a few. */
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
    const path = file.fileName === 'index.html' ? '/' : `/${file.fileName}`
    files.set(path, { type: typeOf(file.fileName), bytes })
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
