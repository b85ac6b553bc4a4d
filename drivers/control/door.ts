/**
 * Who may come in over a port of the loopback, where every program of the machine gets to and every page of
 * the web can make a browser knock:
 *
 * - whoever does not call this machine by its own name was led here by another's (DNS rebinding);
 * - what a page of another origin sends is refused by where the browser says it comes from, and could not
 *   be sent in the first place: the token travels in a header that no page may set across origins, and no
 *   answer ever says that one may;
 * - all but the bare files of a page takes the token, which is compared in constant time; whoever guesses is
 *   made to wait.
 *
 * It knows headers and tokens, and nothing of what is behind it.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** What a URL may call this machine here. */
const NAMES: readonly string[] = ['127.0.0.1', 'localhost']

/** Wrong tokens in a row; a person who pastes one has a few tries. */
const GUESSES_MAX = 10
/** After these, one more each second: an owner who is kept out by another user's guesses has the socket. */
const GUESS_MILLIS = 1_000

export interface DoorRefusal {
  readonly status: number
  readonly mistake: string
}

export class Door {
  readonly #token: Uint8Array
  readonly #now: () => number
  /** Guesses that are left now, as of `#countedAt`. */
  #guesses = GUESSES_MAX
  #countedAt: number

  /** `now`: milliseconds of a clock that does not go back. */
  constructor(token: string, now: () => number = () => performance.now()) {
    this.#token = digest(token)
    this.#now = now
    this.#countedAt = now()
  }

  /** For what holds no data: the files of a page. Undefined if it may be had. */
  refuseFile({ headers, method }: IncomingMessage): DoorRefusal | undefined {
    if (!isOurName(headers.host)) return WRONG_NAME
    if (method !== 'GET' && method !== 'HEAD') return WRONG_METHOD
    // Whoever follows a link or opens a file that leads here sees the page; nobody builds it into another.
    const isOpened = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
    return isOurs(headers) || isOpened ? undefined : FOREIGN
  }

  /** For all else. Undefined if it is somebody with the token. */
  refuse({ headers, method }: IncomingMessage): DoorRefusal | undefined {
    if (!isOurName(headers.host)) return WRONG_NAME
    if (!isOurs(headers)) return FOREIGN
    if (method !== 'GET' && method !== 'POST') return WRONG_METHOD
    const [, given] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? []
    if (given === undefined) return NO_TOKEN
    this.#regain()
    if (this.#guesses < 1) return TOO_MANY
    if (timingSafeEqual(digest(given), this.#token)) return undefined
    this.#guesses -= 1
    return WRONG_TOKEN
  }

  #regain(): void {
    const now = this.#now()
    this.#guesses = Math.min(GUESSES_MAX, this.#guesses + (now - this.#countedAt) / GUESS_MILLIS)
    this.#countedAt = now
  }
}

const WRONG_NAME: DoorRefusal = {
  status: 403,
  mistake: `this port answers to ${NAMES.join(' and ')} alone; open it by that name`,
}
const FOREIGN: DoorRefusal = {
  status: 403,
  mistake: 'this port is for programs of this machine and for its own page, not for pages of others',
}
const WRONG_METHOD: DoorRefusal = { status: 405, mistake: 'only GET and POST, and of files GET and HEAD' }
const NO_TOKEN: DoorRefusal = { status: 401, mistake: 'a token is needed: Authorization: Bearer TOKEN' }
const WRONG_TOKEN: DoorRefusal = {
  status: 401,
  mistake: 'the token is wrong; "peertap view --node" says the address with the right one',
}
const TOO_MANY: DoorRefusal = { status: 429, mistake: 'too many wrong tokens; wait some seconds' }

function isOurName(host = ''): boolean {
  return NAMES.includes(host.replace(/:\d+$/, ''))
}

/** By what browsers add to requests, and programs do not. Another port of this machine is another's. */
function isOurs({ host, origin, 'sec-fetch-site': site }: IncomingMessage['headers']): boolean {
  if (origin !== undefined && origin !== `http://${host}`) return false
  return site === undefined || site === 'same-origin' || site === 'none'
}

/** Of one length, whatever is given. */
function digest(token: string): Uint8Array {
  return createHash('sha256').update(token).digest()
}
