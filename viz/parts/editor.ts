/** The dialog in which a scenario is written. */
import { element } from './elements.ts'
import { page } from './page.ts'

/** `current`: the text to begin with; `opened`: somebody wants to see what is written. */
export function listenToEditor(current: () => string, opened: (text: string) => void): void {
  element('edit', HTMLButtonElement).addEventListener('click', () => {
    page.text.value = current()
    page.mistake.textContent = ''
    page.editor.returnValue = ''
    page.editor.showModal()
  })
  page.editor.addEventListener('close', () => {
    if (page.editor.returnValue === 'open') opened(page.text.value)
  })
}
