/** How frames pass the file of a TAP, one or many at a time, and what the kernel says when it is gone. */
import { ERRNO } from '../linux/libc.ts'
import type { DeviceOffload } from './device.ts'

/** `read` and `write` answer as the kernel's do: bytes, or less than 0 and an errno. */
export interface FrameFile {
  /** Frames were read that `read` has not handed out yet. */
  readonly holds: boolean
  /** Frames that were lost: from the host, with headers that contradict themselves or that are too long. */
  readonly lost: number
  /** One frame at most; without any of this sort of file, it may be too long. */
  read(into: Uint8Array): number
  /** May keep the frame until `flush`. */
  write(frame: Uint8Array): number
  /** Frames that `write` took and that were lost since the last time, or −1 if the interface is gone. */
  flush(): number
  /** Other offloads from now on; false if this sort of file cannot. */
  set(offload: DeviceOffload): boolean
}

/** The interface was deleted: the file has none any more. */
export function isGone(errno: number): boolean {
  return errno === ERRNO.EBADFD || errno === ERRNO.ENODEV || errno === ERRNO.ENXIO || errno === ERRNO.EBADF
}
