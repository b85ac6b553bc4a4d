/**
 * What an IP address of a host says by itself: how far it leads. Knows text and nothing of libp2p, so that
 * the thread of the core can ask without loading that.
 */
import { isIPv4 } from 'node:net'

/** From outside, without translation: none of the ranges that the IANA keeps for other uses. */
export function isPublic(host: string): boolean {
  if (isIPv4(host)) {
    const [a, b] = host.split('.').map(Number) as [number, number]
    if (a === 0 || a === 10 || a === 127 || a >= 224) return false
    if (a === 100 && b >= 64 && b < 128) return false
    if (a === 169 && b === 254) return false
    if (a === 172 && b >= 16 && b < 32) return false
    if (a === 192 && (b === 168 || b === 0)) return false
    return !(a === 198 && (b === 18 || b === 19))
  }
  // Global unicast, 2000::/3, without documentation, 2001:db8::/32.
  return /^[23]/.test(host) && /^[0-9a-f]{4}:/i.test(host) && !/^2001:0?db8:/i.test(host)
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback(host: string): boolean {
  return /^127\./.test(host) || host === '::1'
}

/** fe80::/10 (RFC 4291) leads nowhere without an interface, which is another one at each end of the cable. */
export function isLinkLocal(host: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(host)
}

/**
 * Whether a machine with these addresses may send anything to that one: it needs one of the same family, and
 * one that leads as far. What it can send there is for its routes.
 */
export function reaches(hosts: Iterable<string>, remote: string): boolean {
  // On a socket of both families IPv4 is written so.
  const isFour = isIPv4(remote.replace(/^::ffff:(?=\d+\.)/i, ''))
  for (const host of hosts) {
    if (isIPv4(host) !== isFour) continue
    if (isLoopback(remote) || !isLoopback(host)) {
      if (isLinkLocal(remote) || !isLinkLocal(host)) return true
    }
  }
  return false
}
