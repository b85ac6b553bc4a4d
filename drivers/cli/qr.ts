/** QR codes on a terminal: two modules in each character, light on dark. */
import encodeQr from 'qr'

/** Modules of quiet around it (ISO/IEC 18004, section 5.3.8). */
const QUIET = 4

/** Lines of the code of a text of capital letters, digits and a few signs. */
export function qrLines(text: string): string[] {
  const code = encodeQr(text, 'ascii', { encoding: 'alphanumeric', ecc: 'low', border: QUIET })
  return code.trimEnd().split('\n')
}
