/**
 * TLS 1.3 for other implementations that speak nothing else: two nodes of ours use Noise, which both put
 * first. Its certificates need 150 modules, a quarter of a second and 9 MB, so it is loaded when asked for.
 */
import type { ConnectionEncrypter } from '@libp2p/interface'
import type { TLSComponents } from '@libp2p/tls'

/** https://github.com/libp2p/specs/blob/master/tls/tls.md */
const PROTOCOL = '/tls/1.0.0'

export function tlsWhenAsked(): (components: TLSComponents) => ConnectionEncrypter {
  return (components) => {
    let made: Promise<ConnectionEncrypter> | undefined
    const load = async (): Promise<ConnectionEncrypter> => {
      try {
        return (await import('@libp2p/tls')).tls()(components)
      } catch (error) {
        // Not for ever what failed once, as when too many files are open.
        made = undefined
        throw error
      }
    }
    const tls = (): Promise<ConnectionEncrypter> => {
      made ??= load()
      return made
    }
    return {
      protocol: PROTOCOL,
      secureInbound: async (...connection) => (await tls()).secureInbound(...connection),
      secureOutbound: async (...connection) => (await tls()).secureOutbound(...connection),
    }
  }
}
