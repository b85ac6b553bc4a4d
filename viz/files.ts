/** Files in and out: what is dropped on the page, what the server has, what is saved. */

import { EXTENSION, isRecording, PREAMBLE_BYTES } from '../sim/recording/format.ts'

/** As much text as a data file may be: the largest recorded matrix has a fifth of it. */
const DATA_BYTES_MAX = 256_000_000

export interface Dropped {
  readonly name: string
  readonly text: string
}

/** The text of a file, unpacked if its name ends in .gz. */
export async function textOf(file: File): Promise<Dropped> {
  if (file.size > DATA_BYTES_MAX)
    throw new Error(`${file.name} has ${file.size} bytes; a file may have ${DATA_BYTES_MAX}`)
  if (!file.name.endsWith('.gz')) return { name: file.name, text: await file.text() }
  try {
    const unpacked = file.stream().pipeThrough(new DecompressionStream('gzip'))
    return { name: file.name, text: await new Response(unpacked).text() }
  } catch (error) {
    throw new Error(`${file.name} cannot be unpacked; fetch it again`, { cause: error })
  }
}

/** A run that was kept by `sim run --out`. */
export interface Recorded {
  readonly digest: string
  /** Of the program that ran it. */
  readonly version: string
}

/** What `peertap view` was asked to show. */
export interface Asked {
  readonly name: string
  readonly text: string
  readonly seed: number
  readonly dither: boolean
  /** Where it was run before: what came of it there. */
  readonly recorded?: Recorded
  /** Names of data files that the server has. */
  readonly data: readonly string[]
}

/** Running nodes, which take a token to be seen. */
export type AskedLive = 'live'

/** A recording that the server has. */
export interface AskedRecording {
  readonly name: string
  /** Its address. */
  readonly recording: string
}

/** Undefined where the server was asked nothing in particular. */
export async function askedOf(): Promise<Asked | AskedRecording | AskedLive | undefined> {
  const response = await fetch('./run.json')
  if (response.status !== 200) return undefined
  return (await response.json()) as Asked | AskedRecording | AskedLive
}

/** By how it begins, or else by its name: a broken one is to say what is wrong with it. */
export async function isRecordingFile(file: File): Promise<boolean> {
  if (file.name.endsWith(EXTENSION)) return true
  return isRecording(new Uint8Array(await file.slice(0, PREAMBLE_BYTES).arrayBuffer()))
}

export async function dataOf(name: string): Promise<string> {
  const response = await fetch(`./data/${name.split('/').map(encodeURIComponent).join('/')}`)
  if (response.ok) return response.text()
  throw new Error(`${name} is not to be had from the server (${response.status}); drop the file on the page`)
}

export function save(name: string, content: string | Blob, type: string): void {
  const blob = typeof content === 'string' ? new Blob([content], { type }) : content
  const url = URL.createObjectURL(blob)
  const anchor = document.createElement('a')
  anchor.href = url
  anchor.download = name
  anchor.click()
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

/** Without folders. */
export function baseOf(name: string): string {
  return name.split('/').at(-1) as string
}
