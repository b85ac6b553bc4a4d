/**
 * `peertap service`: the unit by which systemd runs a node, shown, written and removed. Starting it is the
 * matter of systemd: it is said how.
 */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from '../../../core/errors.ts'
import { UNIT_MARK, UNIT_PATH, unitText, whyUnseen } from '../../node/service-unit.ts'
import { systemMistake } from '../../node/state-files.ts'
import { REPOSITORY } from '../../program.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { Flag, Given, Verb } from '../flags.ts'
import { show } from './line.ts'
import { CONFIG_FLAG, JSON_FLAG, placesGiven } from './places.ts'

const UNIT_FLAG: Flag = { kind: 'text', describe: `Where the unit lies [default: ${UNIT_PATH}]` }

export const serviceShow: Verb = {
  words: ['service', 'show'],
  describe: 'Print the unit that "install" writes',
  flags: { config: CONFIG_FLAG, json: JSON_FLAG },
  run: async (given) => {
    const unit = unitOf(given)
    if (given.on('json')) return show(given, { unit }, [])
    process.stdout.write(unit)
    return EXIT.ok
  },
}

export const serviceInstall: Verb = {
  words: ['service', 'install'],
  describe: 'Write a unit for systemd, which runs the node with no more rights than it needs',
  flags: {
    config: CONFIG_FLAG,
    unit: UNIT_FLAG,
    force: { kind: 'switch', describe: 'Write over a unit that is another, or one that cannot start' },
    json: JSON_FLAG,
  },
  run: async (given) => install(given),
}

export const serviceUninstall: Verb = {
  words: ['service', 'uninstall'],
  describe: 'Remove the unit; state and configuration stay',
  flags: { unit: UNIT_FLAG, json: JSON_FLAG },
  run: async (given) => uninstall(given),
}

const LAUNCHER = fileURLToPath(new URL('../peertap.mjs', import.meta.url))

function unitOf(given: Given): string {
  return unitText({ command: [process.execPath, LAUNCHER, 'up'], config: placesGiven(given).config })
}

/** A service that runs as a user of its own would end at once, with an error that says little. */
function checkSeen(given: Given): void {
  const wrong = [process.execPath, LAUNCHER].map((path) => whyUnseen(path, modeOf)).find((each) => each)
  if (wrong !== undefined) {
    throw new UsageError(
      `the service cannot start from here: ${wrong}; copy the program, as with ` +
        `"cp -a ${REPOSITORY.replace(/[/]$/, '')} /opt/peertap", and run ` +
        `"/opt/peertap/drivers/cli/peertap.mjs service install", or write --force`,
    )
  }
  const config = whyUnseen(placesGiven(given).config, modeOf)
  if (config === undefined) return
  throw new UsageError(
    `the service cannot read its configuration: ${config}; put it into /etc/peertap, or write --force`,
  )
}

function modeOf(path: string): number | undefined {
  try {
    return statSync(path).mode
  } catch {
    return undefined
  }
}

function install(given: Given): ExitCode {
  const path = given.text('unit') ?? UNIT_PATH
  const text = unitOf(given)
  try {
    const before = existsSync(path) ? readFileSync(path, 'utf8') : text
    if (before !== text && !given.on('force')) {
      throw new UsageError(`${path} is there already and is another; see what is in it, and write --force`)
    }
    if (!given.on('force')) checkSeen(given)
    writeFileSync(path, text, { mode: 0o644 })
  } catch (error) {
    throw systemMistake(path, error)
  }
  const { config } = placesGiven(given)
  const configured = existsSync(config)
  // The unit waits for it (ConditionPathExists), and systemd says of that what few would find.
  if (!configured && !given.on('json'))
    console.error(`${config} is not there yet, and the service does not start without; run "peertap init"`)
  const next = ['systemctl daemon-reload', `systemctl enable --now ${enabledAs(path)}`]
  const lines = [`${path} is written. Start it now and at every boot:`, ...next.map((each) => `  ${each}`)]
  return show(given, { ok: true, unit: resolve(path), config, configured, next }, lines)
}

/** By its name where systemd looks for units, else by its path, which makes a link there. */
function enabledAs(path: string): string {
  const whole = resolve(path)
  return dirname(whole) === dirname(UNIT_PATH) ? basename(whole, '.service') : whole
}

function uninstall(given: Given): ExitCode {
  const path = given.text('unit') ?? UNIT_PATH
  try {
    if (!existsSync(path)) throw new UsageError(`${path}: there is no such unit; name it with --unit`)
    if (!readFileSync(path, 'utf8').startsWith(UNIT_MARK))
      throw new UsageError(`${path} was not written by PeerTap; remove it yourself if it is to go`)
    rmSync(path)
  } catch (error) {
    throw systemMistake(path, error)
  }
  const next = [`systemctl stop ${basename(path, '.service')}`, 'systemctl daemon-reload']
  const said = `${path} is removed. If the node runs, it runs on until:`
  return show(given, { ok: true, unit: resolve(path), next }, [said, ...next.map((each) => `  ${each}`)])
}
