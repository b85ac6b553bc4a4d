/** The address of the page: says what is seen, and is copied. */
import { type Place, writePlace } from '../model/address.ts'
import { page } from './page.ts'

/** The button says so long what came of it. */
const SAID_MILLIS = 2_500

export class Sharing {
  /** What this page wrote last. */
  #hash = ''

  /** `place`: what is seen now; `changed`: somebody wrote another address. */
  constructor(place: () => Place, changed: () => void) {
    addEventListener('hashchange', () => {
      if (location.hash.slice(1) !== this.#hash) changed()
    })
    page.share.addEventListener('click', () => void this.#share(place()))
  }

  async write(place: Place): Promise<void> {
    const hash = await writePlace(place)
    if (hash === this.#hash) return
    this.#hash = hash
    history.replaceState(null, '', `#${hash}`)
  }

  async #share(place: Place): Promise<void> {
    await this.write(place)
    try {
      await navigator.clipboard.writeText(location.href)
      page.share.textContent = 'Copied'
    } catch {
      page.share.textContent = 'Copy it from the address bar'
    }
    setTimeout(() => {
      page.share.textContent = 'Copy address'
    }, SAID_MILLIS)
  }
}
