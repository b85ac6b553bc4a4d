/** The dialog in which a scenario is written. */
import { page } from './page.ts'

let answered: (text: string) => void = () => undefined

/** Shows the text to be changed; `opened`: somebody wants to see what is written. */
export function editText(text: string, opened: (text: string) => void): void {
  answered = opened
  page.text.value = text
  page.mistake.textContent = ''
  page.editor.returnValue = ''
  page.editor.showModal()
}

export function listenToEditor(): void {
  page.editor.addEventListener('close', () => {
    if (page.editor.returnValue === 'open') answered(page.text.value)
  })
}
