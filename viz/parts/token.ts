/**
 * The token by which a node lets its page in. It comes behind the # of the address, which no server sees, is
 * kept for as long as the tab is open, and leaves the address at once: it is not to be copied, bookmarked or
 * seen over a shoulder.
 */

const KEY = 'peertap-token'

/** Undefined where none was ever given in this tab. */
export function takeToken(): string | undefined {
  const [, given] = /^#token=([0-9a-f]+)$/.exec(location.hash) ?? []
  if (given !== undefined) {
    sessionStorage.setItem(KEY, given)
    history.replaceState(null, '', location.pathname + location.search)
  }
  return sessionStorage.getItem(KEY) ?? undefined
}

/** What was pasted: a token, or an address with one. */
export function keepToken(text: string): string {
  const token = text.trim().replace(/^.*#token=/, '')
  sessionStorage.setItem(KEY, token)
  return token
}

/** It was wrong. */
export function dropToken(): void {
  sessionStorage.removeItem(KEY)
}
