/** What is wrong, said above the picture until somebody closes it or goes on. */
import { element } from './elements.ts'
import { page } from './page.ts'

export function say(text: string): void {
  ;(page.notice.querySelector('pre') as HTMLElement).textContent = text
  page.notice.hidden = false
}

export function hush(): void {
  page.notice.hidden = true
}

export function listenToNotice(): void {
  element('dismiss', HTMLButtonElement).addEventListener('click', hush)
}

export function faultText(message: string): string {
  return `This is a fault of PeerTap itself: ${message}\nPlease report it with the address of this page.`
}
