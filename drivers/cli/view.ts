/** `peertap view`: the picture of a mesh in the browser, served on the loopback interface. */
import { basename, join } from 'node:path'
import { UsageError } from '../../core/errors.ts'
import { dataNeeds, Recording, readScenario } from '../../sim/index.ts'
import { checkData, DiskData, dataDirectory } from '../sim/data-files.ts'
import { looksRecorded, RecordingOnDisk } from '../sim/recording-file.ts'
import { isKept, readKept } from '../view/kept.ts'
import { PageServer, RECORDING, type Shown } from '../view/server.ts'
import { EXIT, type ExitCode } from './exit.ts'
import type { Given, Verb } from './flags.ts'
import { untilSignal } from './interrupted.ts'
import { openBrowser } from './open-browser.ts'
import { type Request, RUN_FLAGS, readRequest, SCENARIO_ARGUMENT, seedOf, textOf } from './sim-request.ts'

const WHAT = 'A scenario, a recording, or a directory that sim run --out wrote'

export const viewVerb: Verb = {
  words: ['view'],
  describe: 'Look at a simulated mesh in the browser, or at running nodes',
  arguments: [{ name: SCENARIO_ARGUMENT.name, describe: WHAT, optional: true }],
  flags: {
    ...RUN_FLAGS,
    node: {
      kind: 'list',
      describe: 'The node that runs here, or those with these control sockets, and the page to run them',
    },
    port: { kind: 'text', describe: 'Port on the loopback interface (default: any that is free)' },
    'no-browser': { kind: 'switch', describe: 'Only say the address' },
  },
  examples: [
    ['peertap view root-crash --seed 7', 'that run, from its beginning'],
    ['peertap view results/7', 'a run that sim run --out kept'],
    ['peertap view run.ptrec', 'a run that sim run --record recorded'],
    ['peertap view', 'choose in the page'],
    ['peertap view --node', 'the node of this machine: its mesh, and its VLANs to join and leave'],
    ['peertap view --node /run/a.sock --node /run/b.sock', 'what two nodes see'],
  ],
  run,
}

async function run(given: Given): Promise<ExitCode> {
  const port = given.whole('port', 0, 65_535, 'leave it out for any that is free') ?? 0
  const sockets = given.listOrAlone('node')
  if (sockets !== undefined) {
    const other = [SCENARIO_ARGUMENT.name, ...Object.keys(RUN_FLAGS)].find((name) => given.has(name))
    if (other !== undefined)
      throw new UsageError(`--node shows what runs, and ${other} is of simulations; leave one of them out`)
    const { viewNodes } = await import('./view-node.ts')
    await viewNodes(given, sockets, port)
    return EXIT.ok
  }
  const shown = await shownBy(given)
  await show(shown, port, !given.on('no-browser'))
  return EXIT.ok
}

/** Serves until somebody ends the program. */
async function show(shown: Shown, port: number, inBrowser: boolean): Promise<void> {
  console.error('building the page ...')
  // Loads Vite, which nobody else needs.
  const { buildPage } = await import('../view/page.ts')
  const server = await PageServer.listen(await buildPage(), shown, port)
  console.log(server.url)
  if (inBrowser) openBrowser(server.url)
  console.error('Ctrl-C ends it')
  await untilSignal()
  await server.close()
}

/** Shows a run that was just made, as `sim run --view` does. */
export async function viewRequest(request: Request, seed: number): Promise<void> {
  await show(shownOf(request, seed), 0, true)
}

async function shownBy(given: Given): Promise<Shown> {
  if (given.optional(SCENARIO_ARGUMENT.name) === undefined) {
    const flag = ['seed', 'set', 'data'].find((name) => given.list(name).length > 0)
    if (flag !== undefined)
      throw new UsageError(`--${flag} without a scenario; write peertap view SCENARIO --${flag} ...`)
    return { run: undefined, data: () => undefined }
  }
  const name = given.argument(SCENARIO_ARGUMENT.name)
  if (looksRecorded(name)) return shownRecording(name, given)
  return isKept(name) ? shownKept(name, given) : shownOf(readRequest(given, 'view'), seedOf(given))
}

async function shownRecording(path: string, given: Given): Promise<Shown> {
  const flag = ['seed', 'set', 'data', 'no-dither'].find(
    (name) => given.list(name).length > 0 || given.on(name),
  )
  if (flag !== undefined) throw new UsageError(`${path} holds a run as it was made; leave out --${flag}`)
  return shownFile(path)
}

async function shownFile(path: string): Promise<Shown> {
  const recording = await RecordingOnDisk.open(path)
  try {
    // What is wrong with it is said here, before anybody looks for it in a page.
    const { cutOff } = await Recording.open(recording, path)
    if (cutOff !== undefined) console.error(`${path} ends before the run did: ${cutOff}`)
  } catch (error) {
    await recording.close()
    throw error
  }
  return { run: { name: basename(path), recording: RECORDING }, data: () => undefined, recording }
}

/** Shows a recording that was just made. */
export async function viewRecording(path: string): Promise<void> {
  await show(await shownFile(path), 0, true)
}

function shownKept(directory: string, given: Given): Shown {
  if (given.list('set').length > 0 || given.on('no-dither'))
    throw new UsageError(`${directory} holds a run as it was made; leave out --set and --no-dither`)
  const seed = given.text('seed') === undefined ? undefined : seedOf(given)
  const { text, digest, version, ...kept } = readKept(directory, seed)
  const scenario = readScenario(text, join(directory, 'scenario.json'))
  const needs = dataNeeds(scenario)
  const data = dataDirectory(given.text('data'))
  checkData(needs, data, () => directory)
  const names = needs.map((need) => need.name)
  const disk = new DiskData(data)
  return {
    run: { name: scenario.name, text, ...kept, data: names, recorded: { digest, version } },
    data: (name) => (names.includes(name) ? disk.text(name) : undefined),
  }
}

function shownOf(request: Request, seed: number): Shown {
  const { scenario, directory, dither } = request
  const needs = dataNeeds(scenario).map(({ name }) => name)
  const disk = new DiskData(directory)
  return {
    run: { name: scenario.name, text: textOf(request), seed, dither, data: needs },
    data: (name) => (needs.includes(name) ? disk.text(name) : undefined),
  }
}
