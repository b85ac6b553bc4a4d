/** Files that are dropped anywhere on the page. */

export function listenToDrops(dropped: (files: readonly File[]) => void): void {
  const { classList } = document.body
  addEventListener('dragover', (event) => {
    event.preventDefault()
    classList.add('dropping')
  })
  addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) classList.remove('dropping')
  })
  addEventListener('drop', (event) => {
    event.preventDefault()
    classList.remove('dropping')
    dropped([...(event.dataTransfer?.files ?? [])])
  })
}
