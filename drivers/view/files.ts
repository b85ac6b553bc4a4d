/**
 * What a page is made of and how its files are sent: packed as the browser takes them, and with headers by
 * which the page may ask its own origin alone, and nobody may frame it. It knows neither who builds a page
 * nor what it shows.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { type PageFile, packedFile } from './packed.ts'

/** By the path behind the origin. */
export type Page = ReadonlyMap<string, PageFile>

/** By what files' names end in. */
const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  // Of modules whose types were taken out.
  ts: 'text/javascript; charset=utf-8',
}

/** What a page may do: run what came from here, and ask nobody else for anything. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Of every answer, also of those that are no files. */
export const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  // For browsers that do not know frame-ancestors.
  'x-frame-options': 'DENY',
} as const

/** The same for a page that sets no style by script, as the operator's. */
export const STRICT_HEADERS = {
  ...HEADERS,
  'content-security-policy': POLICY.replace(" 'unsafe-inline'", ''),
  'permissions-policy': 'camera=(self), microphone=(), geolocation=(), display-capture=()',
} as const

export function typeOf(name: string): string {
  return TYPES[name.split('.').at(-1) as string] ?? 'application/octet-stream'
}

/** Sends a file, or only what a HEAD asks for. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: PageFile,
  headers: OutgoingHttpHeaders = HEADERS,
): void {
  const { encoding, bytes } = packedFile(file, String(request.headers['accept-encoding'] ?? ''))
  response.writeHead(200, {
    ...headers,
    'content-type': file.type,
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

/** The path that is asked for; undefined where there is none. */
export function pathOf({ url = '/' }: IncomingMessage): string | undefined {
  try {
    return decodeURIComponent(new URL(url, 'http://page').pathname)
  } catch {
    return undefined
  }
}
