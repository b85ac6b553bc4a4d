import { describe, expect, it } from 'vitest'
import { readLine } from '../../drivers/cli/shell/words.ts'

const read = (text: string, variables: Readonly<Record<string, string>> = {}) =>
  readLine(text, new Map(Object.entries(variables)))

describe('a line of the shell', () => {
  it.each([
    ['run 10', ['run', '10']],
    ['  node3\tvlan list  ', ['node3', 'vlan', 'list']],
    ["node3 say home 'is anybody # there?'", ['node3', 'say', 'home', 'is anybody # there?']],
    ['node3 say home "two  words" # and a remark', ['node3', 'say', 'home', 'two  words']],
    ['node3 say home a"b c"d', ['node3', 'say', 'home', 'ab cd']],
    ['node3 vlan create a#b', ['node3', 'vlan', 'create', 'a#b']],
  ])('has words: %s', (text, words) => {
    expect(read(text)).toEqual({ assigns: undefined, words, isLeftAlone: false })
  })

  it.each(['', '   ', '# only a remark', '\t# only a remark'])('may have none: %j', (text) => {
    expect(read(text)).toBeUndefined()
  })

  it('may be left alone, and may set a variable', () => {
    expect(read('node4 vlan join x &')).toEqual({
      assigns: undefined,
      words: ['node4', 'vlan', 'join', 'x'],
      isLeftAlone: true,
    })
    expect(read('$url = node3 vlan invite home')?.assigns).toBe('url')
    expect(read('$url=node3 vlan list')).toMatchObject({ assigns: 'url', words: ['node3', 'vlan', 'list'] })
  })

  it('has the values of variables in it, but not in single quotes', () => {
    const values = { url: 'peertap:A', 'url.2': 'peertap:B' }
    expect(read('node4 vlan join $url.2', values)?.words.at(-1)).toBe('peertap:B')
    expect(read('node4 vlan join "<$url>"', values)?.words.at(-1)).toBe('<peertap:A>')
    expect(read("node4 say home '$url'", values)?.words.at(-1)).toBe('$url')
  })

  it.each([
    ['node4 vlan join $ulr', 'column 17: $ulr is not set; did you mean $url?'],
    ['node4 vlan join $other', 'column 17: $other is not set; set it before: $other = COMMAND'],
    ['node4 vlan join $', "column 17: a name must follow $; write $url, or '$' in quotes"],
    ["node4 say home 'so", "column 16: the quote ' is never closed; close it, or leave it out"],
    ['$x = ', 'there is no command on this line; write one, as in: $url = node3 vlan invite home'],
    ['$x node1 vlan list', 'column 1: $x is not set; set it before: $x = COMMAND'],
    ['&', 'there is no command on this line; write one, as in: $url = node3 vlan invite home'],
    ['$x = &', 'there is no command on this line; write one, as in: $url = node3 vlan invite home'],
    [`run ${'1'.repeat(16_384)}`, 'a line of 16388 characters; it may have 16384: shorten it'],
  ])('is refused with its column: %s', (text, message) => {
    expect(() => read(text, { url: 'peertap:A' })).toThrow(message)
  })
})
