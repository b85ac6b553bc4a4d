#!/usr/bin/env node
/**
 * The command `peertap`. Its only work is to find a Node that runs the TypeScript sources: this one if
 * it is new enough, otherwise the one pinned by the npm package `node`. Written for old versions of
 * Node too, so nothing newer than version 18 may be used here.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The first version on which the project is tested. */
const NODE_MAJOR = 26

/** What --help calls a mistake, since who installs can mend it: 1 would say that a bound failed. */
const EXIT_USAGE = 2

/** For a process that is a node: see becomeNode, and drivers/node/garbage.ts. */
const NODE_FLAGS = ['--max-semi-space-size=1', '--expose-gc']

const main = new URL('./main.ts', import.meta.url)

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR) {
  await keepCompiled()
  if (process.argv[2] === 'up' && process.execArgv.length === 0) becomeNode()
  await import(main.href)
} else {
  const node = pinnedNode()
  if (node) runWith(node)
  else refuse()
}

/**
 * What was compiled once is kept beside the packages: a start then takes two thirds of the time, and each of
 * a node's threads 30 MB less, as none has to load the compiler. Whoever can write there can change the
 * program itself. Where this process cannot, it does without.
 */
async function keepCompiled() {
  const { enableCompileCache } = await import('node:module')
  const folder = cacheFolder()
  if (folder === undefined) return
  const { status } = enableCompileCache?.(folder) ?? {}
  // Threads take it from the environment.
  if (status === 1) process.env.NODE_COMPILE_CACHE = folder
}

/**
 * A node lives long and makes little garbage: with a small nursery it takes 27 MB less. V8 has to know from
 * the start, so this process becomes another one, of the same number, where the system has a way.
 */
function becomeNode() {
  const command = [process.execPath, ...NODE_FLAGS, fileURLToPath(main), ...process.argv.slice(2)]
  process.execve?.(process.execPath, command, process.env)
}

/** The binary of the npm package `node`, beside the project or hoisted above it. */
function pinnedNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  return above(join('node_modules', 'node', 'bin', name))
}

/** Undefined where others could put something into it: what lies there is run. */
function cacheFolder() {
  const packages = above('node_modules')
  if (packages === undefined) return undefined
  const folder = join(packages, '.cache', 'peertap')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { uid, mode } = statSync(folder)
    const isOurs = uid === 0 || uid === process.geteuid?.()
    return isOurs && (mode & 0o022) === 0 ? folder : undefined
  } catch {
    return undefined
  }
}

/** The first of that name in the project's folder or one above it. */
function above(name) {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const candidate = join(folder, name)
    if (existsSync(candidate)) return candidate
    const parent = dirname(folder)
    if (parent === folder) return undefined
    folder = parent
  }
}

/** Hands everything over: arguments, streams, signals, and at the end the exit code. */
function runWith(node) {
  const flags = process.argv[2] === 'up' ? NODE_FLAGS : []
  const child = spawn(node, [...process.execArgv, ...flags, fileURLToPath(main), ...process.argv.slice(2)], {
    // Whoever reads the last one learns from its end that nobody is left to pass a signal on (launched.ts).
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: {
      ...process.env,
      ...cacheOf(process.env.NODE_COMPILE_CACHE ?? cacheFolder()),
      PEERTAP_LAUNCHED: '3',
    },
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

function cacheOf(folder) {
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder }
}

function refuse() {
  console.error(
    `peertap needs Node ${NODE_MAJOR} or newer and this is ${process.version}. ` +
      'Run "npm install" in the project, which brings the right one, or install it.',
  )
  process.exitCode = EXIT_USAGE
}
