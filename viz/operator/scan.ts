/**
 * An invitation from the camera, where the browser reads codes itself (BarcodeDetector: Chrome on Android and
 * macOS, for instance). Elsewhere the page says so, and the invitation is pasted.
 */
import { element } from '../parts/elements.ts'

interface Detector {
  detect(source: HTMLVideoElement): Promise<readonly { readonly rawValue: string }[]>
}
interface DetectorClass {
  new (options: { readonly formats: readonly string[] }): Detector
  getSupportedFormats(): Promise<readonly string[]>
}

/** Between two looks at what the camera sees. */
const LOOK_MILLIS = 200
/** How an invitation begins: in a code, whose letters are capitals, and in a line. */
const INVITATION = /^peertap:/i

/** `found`: takes an invitation. */
export async function offerScanning(
  found: (text: string) => void,
  fail: (error: unknown) => void,
): Promise<void> {
  const button = element('scan', HTMLButtonElement)
  const Detectors = (globalThis as { BarcodeDetector?: DetectorClass }).BarcodeDetector
  const formats = (await Detectors?.getSupportedFormats().catch(() => [])) ?? []
  if (Detectors === undefined || !formats.includes('qr_code')) {
    button.hidden = true
    element('scanHint', HTMLElement).textContent = 'This browser reads no codes: paste the invitation.'
    return
  }
  const detector = new Detectors({ formats: ['qr_code'] })
  button.addEventListener('click', () => void scan(detector, found).catch(fail))
}

async function scan(detector: Detector, found: (text: string) => void): Promise<void> {
  const place = element('camera', HTMLElement)
  const video = place.querySelector('video') as HTMLVideoElement
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } })
  let stopped = false
  element('stopScan', HTMLButtonElement).onclick = () => {
    stopped = true
  }
  try {
    place.hidden = false
    video.srcObject = stream
    await video.play()
    while (!stopped) {
      const codes = await detector.detect(video)
      const code = codes.find(({ rawValue }) => INVITATION.test(rawValue))
      if (code !== undefined) {
        found(code.rawValue)
        return
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MILLIS))
    }
  } finally {
    for (const track of stream.getTracks()) track.stop()
    video.srcObject = null
    place.hidden = true
  }
}
