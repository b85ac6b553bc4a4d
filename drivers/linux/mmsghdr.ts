/**
 * Where the parts of a struct mmsghdr and of a struct iovec are, as recvmmsg(2) and sendmmsg(2) of a 64-bit
 * Linux have them, and flags of both calls. Sources: linux/socket.h, linux/uio.h.
 */

/** struct msghdr (56), then how many bytes were moved (4) and padding (4). */
export const MESSAGE_BYTES = 64
export const NAME_AT = 0
export const NAME_LENGTH_AT = 8
export const VECTOR_AT = 16
/** How many iovecs. */
export const VECTOR_COUNT_AT = 24
export const CONTROL_AT = 32
export const CONTROL_LENGTH_AT = 40
export const FLAGS_AT = 48
export const MOVED_AT = 56

/** struct iovec: address and length, 8 bytes each. */
export const VECTOR_BYTES = 16
/** In an iovec. */
export const VECTOR_LENGTH_AT = 8

export const MSG_DONTWAIT = 0x40
/** In the flags of a message: it was longer than its iovecs. */
export const MSG_TRUNC = 0x20
