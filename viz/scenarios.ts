/** The scenarios that come with PeerTap, as their files' texts. */

const FILES: Record<string, string> = import.meta.glob(['../scenarios/*.json', '!../scenarios/schema.json'], {
  query: '?raw',
  import: 'default',
  eager: true,
})

export interface Known {
  readonly name: string
  readonly question: string
  readonly text: string
}

export const KNOWN: readonly Known[] = Object.entries(FILES).map(([path, text]) => {
  const name = (path.split('/').at(-1) as string).replace(/\.json$/, '')
  return { name, text, question: (JSON.parse(text) as { question: string }).question }
})
