/** Light or dark: as the system says, or as somebody chose, which this browser remembers. */

const KEY = 'peertap-theme'
const CHOICES = ['system', 'light', 'dark'] as const

export class Theme {
  readonly #dark = matchMedia('(prefers-color-scheme: dark)')
  readonly #select: HTMLSelectElement

  constructor(select: HTMLSelectElement, changed: () => void) {
    this.#select = select
    const kept = remembered()
    select.value = CHOICES.find((choice) => choice === kept) ?? 'system'
    const apply = (): void => {
      document.documentElement.dataset['theme'] = this.now
      changed()
    }
    select.addEventListener('change', () => {
      try {
        localStorage.setItem(KEY, select.value)
      } catch {
        // A browser that keeps nothing asks again next time.
      }
      apply()
    })
    this.#dark.addEventListener('change', apply)
    document.documentElement.dataset['theme'] = this.now
  }

  get now(): 'light' | 'dark' {
    const { value } = this.#select
    if (value === 'light' || value === 'dark') return value
    return this.#dark.matches ? 'dark' : 'light'
  }
}

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}
