/** Opens an address in the person's browser, where there is a desktop. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Nobody is told if that fails, since the address has been said. Other users of the machine see the words of
 * commands: an address with a secret goes by way of a file that only this one may read, and what is
 * answered takes that away.
 */
export function openBrowser(url: string): (() => void) | undefined {
  const isHeadless =
    process.platform === 'linux' && !process.env['DISPLAY'] && !process.env['WAYLAND_DISPLAY']
  if (isHeadless) return undefined
  if (!url.includes('#')) {
    launch(url)
    return undefined
  }
  const folder = mkdtempSync(join(tmpdir(), 'peertap-view-'))
  const file = join(folder, 'open.html')
  // The address is one of ours: nothing in it ends the attribute.
  writeFileSync(file, `<!doctype html><meta http-equiv="refresh" content="0;url=${url}">\n`, { mode: 0o600 })
  launch(pathToFileURL(file).href)
  return () => rmSync(folder, { recursive: true, force: true })
}

function launch(url: string): void {
  const desktop: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
    darwin: ['open', url],
    win32: ['cmd', '/c', 'start', '', url],
    linux: ['xdg-open', url],
  }
  const command = desktop[process.platform]
  if (command === undefined) return
  const [program, ...words] = command
  spawn(program, words, { stdio: 'ignore', detached: true })
    .on('error', () => undefined)
    .unref()
}
