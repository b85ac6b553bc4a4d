/**
 * The header before each frame of a TAP that has offloads: which checksum is still to be made, and whether
 * the frame stands for many. `struct virtio_net_hdr` of linux/virtio_net.h, as of a legacy device: in the
 * order of bytes of the machine, which is little-endian here (drivers/linux/libc.ts).
 *
 *     flags 1 | gso type 1 | length of headers 2 | gso size 2 | checksum from 2 | its place after that 2
 *
 * With its ten bytes before an Ethernet header, an IP header starts at a multiple of four.
 */

export const VIRTIO_BYTES = 10

/** Where the fields are. */
export const VIRTIO_AT = { flags: 0, type: 1, headers: 2, size: 4, start: 6, offset: 8 } as const

/** VIRTIO_NET_HDR_F_NEEDS_CSUM: the checksum's field has the sum of the pseudo header alone. */
export const NEEDS_CHECKSUM = 1

/** VIRTIO_NET_HDR_GSO_*. */
export const GSO = { none: 0, tcp4: 1, tcp6: 4, udp: 5 } as const
/** VIRTIO_NET_HDR_GSO_ECN, beside one of TCP: the first segment has CWR, and the others must not. */
export const GSO_ECN = 0x80

/** TCP_MIN_GSO_SIZE of net/tcp.h: hosts take no frame that stands for segments of less. */
export const TCP_SEGMENT_BYTES_MIN = 8

// linux/if_tun.h
export const IFF_VNET_HDR = 0x4000
export const TUNSETOFFLOAD = 0x4004_54d0
export const TUNSETVNETHDRSZ = 0x4004_54d8

/** TUN_F_*: what the host may leave to whoever reads. */
const TUN_F = { checksum: 1, tso4: 2, tso6: 4, ecn: 8, uso4: 0x20, uso6: 0x40 } as const
const TSO = TUN_F.checksum | TUN_F.tso4 | TUN_F.tso6
const TSO_ECN = TSO | TUN_F.ecn

/** What is asked for, until the kernel takes some: cutting UDP came with Linux 6.2. */
export const OFFLOAD_STEPS = {
  udp: TSO_ECN | TUN_F.uso4 | TUN_F.uso6,
  tcp: [TSO_ECN, TSO],
} as const
