#!/usr/bin/env node
/**
 * The command `peertap`. Its only work is to find a Node that runs the TypeScript sources: this one if
 * it is new enough, otherwise the one pinned by the npm package `node`. Written for old versions of
 * Node too, so nothing newer than version 18 may be used here.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The first version on which the project is tested. */
const NODE_MAJOR = 26

/** What --help calls a mistake, since who installs can mend it: 1 would say that a bound failed. */
const EXIT_USAGE = 2

const main = new URL('./main.ts', import.meta.url)

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR) {
  await import(main.href)
} else {
  const node = pinnedNode()
  if (node) runWith(node)
  else refuse()
}

/** The binary of the npm package `node`, beside the project or hoisted above it. */
function pinnedNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const candidate = join(folder, 'node_modules', 'node', 'bin', name)
    if (existsSync(candidate)) return candidate
    const parent = dirname(folder)
    if (parent === folder) return undefined
    folder = parent
  }
}

/** Hands everything over: arguments, streams, signals, and at the end the exit code. */
function runWith(node) {
  const child = spawn(node, [...process.execArgv, fileURLToPath(main), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  const relay = (signal) => {
    // A terminal sends its interrupt to both processes; a second one would look like impatience.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, relay)
  child.on('error', (error) => {
    console.error(`peertap: could not start ${node} (${error.message}); run "npm ci" in the project`)
    process.exitCode = EXIT_USAGE
  })
  child.on('exit', (code, signal) => {
    for (const name of signals) process.off(name, relay)
    if (signal) process.kill(process.pid, signal)
    else process.exitCode = code
  })
}

function refuse() {
  console.error(
    `peertap needs Node ${NODE_MAJOR} or newer and this is ${process.version}. ` +
      'Run "npm install" in the project, which brings the right one, or install it.',
  )
  process.exitCode = EXIT_USAGE
}
