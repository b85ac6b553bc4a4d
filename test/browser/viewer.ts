/**
 * `peertap view` as somebody uses it: the program is started, and Chromium opens the address that it says.
 *
 *   const viewer = await Viewer.start(chromium, 'root-crash', '--seed', '7')
 *   const page = await viewer.open('scenario=steady-16&seed=1&at=60')
 *   await viewer.close()
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { MAIN } from '../support/cli.ts'
import { FLAGS } from './bundle.ts'

/** Building takes a second or two, and many times that beside everything else that a machine may do. */
export const START_MILLIS = 240_000

export class Viewer {
  /** Without what stands behind #. */
  readonly url: string
  readonly #hash: string
  readonly #program: ChildProcess
  readonly #browser: Browser
  /** What pages asked for beyond the origin, what they threw and what the console called an error. */
  readonly complaints: string[] = []

  private constructor(url: string, program: ChildProcess, browser: Browser) {
    const [base = '', hash = ''] = url.split('#')
    this.url = base
    this.#hash = hash
    this.#program = program
    this.#browser = browser
  }

  static async start(executablePath: string, ...words: readonly string[]): Promise<Viewer> {
    const program = spawn(process.execPath, [MAIN, 'view', ...words, '--no-browser'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [url] = (await once(createInterface({ input: program.stdout }), 'line')) as [string]
    return new Viewer(url, program, await chromium.launch({ executablePath, args: FLAGS }))
  }

  /**
   * `hash`: what stands behind # in the address; by default what the program said. `before`: a script that
   * runs before those of the page.
   */
  async open(hash = this.#hash, options: BrowserContextOptions = {}, before = ''): Promise<Page> {
    const context = await this.#browser.newContext({ acceptDownloads: true, ...options })
    const page = await context.newPage()
    if (before !== '') await page.addInitScript(before)
    page.on('pageerror', (error) => this.complaints.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text())
    })
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith(this.url) && !/^(data|blob):/.test(url)) this.complaints.push(`asks for ${url}`)
    })
    await page.goto(`${this.url}${hash === '' ? '' : `#${hash}`}`)
    return page
  }

  /** Ends the program as Ctrl-C does; its exit code. */
  async close(): Promise<number | null> {
    await this.#browser.close()
    this.#program.kill('SIGINT')
    if (this.#program.exitCode === null) await once(this.#program, 'exit')
    return this.#program.exitCode
  }
}

/** Waits until that moment is on the page; its digest there. */
export async function digestAt(page: Page, at: number): Promise<string> {
  const digest = page.locator(`#digest[data-at="${at}"]`)
  await digest.waitFor({ timeout: START_MILLIS })
  return (await digest.textContent()) ?? ''
}

/** Bytes that came over the wire for what a page is made of, as they were packed. */
export async function loadedBytes(page: Page): Promise<number> {
  return (await page.evaluate(
    `performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
      .reduce((sum, entry) => sum + entry.encodedBodySize, 0)`,
  )) as number
}
