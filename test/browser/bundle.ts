/**
 * Runs the project's own modules in Chromium: an entry is bundled in memory and opened in a page, and
 * its exports are called with plain values. There is no server: every request of the page is answered
 * here, and the page has a secure context, as Web Crypto wants.
 *
 *   const page = await openPage('sim/index.ts', chromium)
 *   const { digest } = await page.call<{ digest: string }>('runScenario', scenario, seed)
 *   await page.close()
 */
import { isBuiltin } from 'node:module'
import { resolve } from 'node:path'
import { chromium } from 'playwright-core'
import { build, type Rollup } from 'vite'
import { REPOSITORY } from '../support/requirements.ts'

/** The global name under which the page finds the exports of the entry. */
const GLOBAL = 'peertapEntry'
const ORIGIN = 'https://peertap.test/'

/** Quiet and self-contained: Chromium otherwise asks its maker's servers for updates at every start. */
export const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export interface EntryPage {
  /** Calls an export of the entry; arguments and result are copied, so they must be plain data. */
  call<Result>(name: string, ...parameters: readonly unknown[]): Promise<Result>
  close(): Promise<void>
}

/**
 * Opens `entry` (relative to the root of the repository) in the Chromium at `program`. Fails if the
 * entry cannot be bundled for a browser, for instance because something in it imports `node:`.
 */
export async function openPage(entry: string, program: string): Promise<EntryPage> {
  const script = await bundle(entry)
  const browser = await chromium.launch({ executablePath: program, args: FLAGS })
  try {
    const page = await browser.newPage()
    await page.route('**/*', (route) =>
      route.request().url() === ORIGIN
        ? route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>PeerTap</title>' })
        : route.abort(),
    )
    await page.goto(ORIGIN)
    await page.addScriptTag({ content: script })
    return {
      call: (name, ...parameters) =>
        page.evaluate(
          ([global, wanted, values]) => {
            const found = (globalThis as Record<string, unknown>)[global] as Record<string, unknown>
            const target = found[wanted]
            if (typeof target !== 'function') throw new Error(`the entry exports no function ${wanted}`)
            return target(...values)
          },
          [GLOBAL, name, parameters] as const,
        ),
      close: () => browser.close(),
    }
  } catch (error) {
    await browser.close()
    throw error
  }
}

/** One classic script that assigns the exports of `entry` to a global. */
async function bundle(entry: string): Promise<string> {
  const result = await build({
    configFile: false,
    root: REPOSITORY,
    logLevel: 'silent',
    plugins: [{ name: 'refuse-node-modules', enforce: 'pre', resolveId: refuseBuiltin }],
    build: {
      write: false,
      minify: false,
      target: 'esnext',
      lib: { entry: resolve(REPOSITORY, entry), name: GLOBAL, formats: ['iife'], fileName: 'page' },
    },
  })
  const [output] = result as Rollup.RollupOutput[]
  const [chunk] = output?.output ?? []
  if (!chunk) throw new Error(`bundling ${entry} gave nothing`)
  return chunk.code
}

/** Vite would put an empty module in the place of a built-in one and fail later, at a distance. */
function refuseBuiltin(source: string, importer: string | undefined): null {
  if (isBuiltin(source)) {
    throw new Error(`${importer ?? 'the entry'} imports ${source}, which no browser has`)
  }
  return null
}
