/** seedrandom's alea by itself: its main module also brings generators that ask for node:crypto. */
declare module 'seedrandom/lib/alea.js' {
  interface AleaState {
    readonly c: number
    readonly s0: number
    readonly s1: number
    readonly s2: number
  }
  // biome-ignore lint/style/noDefaultExport: the module is as it is.
  export default function alea(seed: string, options: { state: true }): { state(): AleaState }
}
