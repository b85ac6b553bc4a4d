/** Elements of the page by their id, and new ones. */

/** An element that index.html has; it is of the class that is asked for. */
export function element<T extends Element>(id: string, kind: new () => T): T {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`the page has no ${kind.name} with the id ${id}`)
}

type Child = Node | string

export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

/** A table with a caption; cells that begin with a digit are set as numbers. */
export function table(
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly Child[])[],
): HTMLTableElement {
  const isNumber = (index: number): boolean => {
    const first = rows[0]?.[index]
    return typeof first === 'string' && /^[−-]?\d[\d.,]*( \S+)?$/.test(first)
  }
  const attributes = (index: number): Record<string, string> => (isNumber(index) ? { class: 'number' } : {})
  const head = heads.map((text, index) => make('th', { scope: 'col', ...attributes(index) }, text))
  const body = rows.map((row) =>
    make('tr', {}, ...row.map((cell, index) => make('td', attributes(index), cell))),
  )
  return make(
    'table',
    {},
    make('caption', {}, caption),
    make('thead', {}, make('tr', {}, ...head)),
    make('tbody', {}, ...body),
  )
}
