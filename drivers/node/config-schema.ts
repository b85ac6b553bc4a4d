/**
 * What may stand in the configuration of a node: one JSON file, strict, with every default written down here.
 * The schema that editors use is published from this same definition (`peertap config schema`), so the two
 * cannot drift apart. What a text must say in itself, an address for instance, is for config-check.ts.
 *
 * `x-reloadable` says of a key whether a running node takes on a new value when it reads the file again; it
 * holds for all that is inside too, unless that says otherwise.
 */
import { z } from 'zod'
import { DEFAULT_PLACES } from './places.ts'

/** The version of the format that this program reads. */
const CONFIG_VERSION = 1

/** Addresses of one node. Guess: a host has a few interfaces and three transports. */
const ADDRESSES_MAX = 32
/** Addresses of contacts: each of those that the core keeps (core/mesh/limits.ts) may have several. */
const BOOTSTRAP_MAX = 64
/** As many as a node may have VLANs (drivers/control/vlans.ts). */
const INTERFACES_MAX = 64
/** Addresses of one interface. Guess. */
const CIDRS_MAX = 16
/** More than IPv6 demands of any link (RFC 8200, section 5), and what fits a jumbo frame. */
const MTU_MIN = 1_280
const MTU_MAX = 9_216
/** Patterns of a policy (core/vlan/policy.ts). */
const PATTERNS_MAX = 1_024

const RESTART = { 'x-reloadable': false } as const
const RELOAD = { 'x-reloadable': true } as const

const text = z.string().min(1)
const port = z.int().min(1).max(65_535)

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

const transports = z
  .strictObject({
    quic: z.boolean().default(true).describe('QUIC over UDP: the best of the three where UDP gets through.'),
    tcp: z.boolean().default(true).describe('TCP.'),
    ws: z.boolean().default(true).describe('WebSocket over TCP, for networks that let only the web through.'),
  })
  .prefault({})
  .describe('What trunks may be carried by. One that is off is neither listened on nor dialled.')
  .meta(RESTART)

const datagrams = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Use them wherever they get through.'),
    port: port
      .default(4_003)
      .describe('UDP port of both families. Where another program has it, one that is free is taken.'),
    offload: z
      .boolean()
      .default(true)
      .describe('Let the kernel cut and join datagrams (UDP_SEGMENT, UDP_GRO) where it can.'),
  })
  .prefault({})
  .describe('Frames in UDP datagrams beside the streams of a trunk: sooner there, and lost alone if lost.')
  .meta(RESTART)

const circuitRelay = z
  .strictObject({
    serve: z.boolean().default(false).describe('Let others be reached through this node by libp2p circuits.'),
    use: z.boolean().default(true).describe('Be reached through others where no dial gets in.'),
  })
  .prefault({})
  .describe('Relaying of whole connections, while no direct one can be made.')
  .meta(RESTART)

const policy = z
  .strictObject({
    mode: z
      .enum(['open', 'restricted', 'patterns'])
      .default('open')
      .describe('Carry every VLAN, only those that this node is a member of, or those that match patterns.'),
    allow: z
      .array(text)
      .max(PATTERNS_MAX)
      .default([])
      .describe('Mode patterns: VLAN-IDs in hex that are carried; * stands for any run of digits.'),
    deny: z
      .array(text)
      .max(PATTERNS_MAX)
      .default([])
      .describe('Mode patterns: VLAN-IDs that are not carried; this wins over allow.'),
  })
  .prefault({})
  .describe('Which VLANs are carried for others. Those of this node itself always are.')
  .meta(RELOAD)

const relay = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe("Carry others' traffic. A node that does not is a leaf: it keeps links to two relays."),
    policy,
    links: z.int().min(6).max(64).default(64).describe('Links that are accepted at most.'),
  })
  .prefault({})
  .describe('What this node does for the mesh.')
  .meta(RESTART)

const interfaceOffload = z
  .strictObject({
    segmentation: z
      .boolean()
      .default(true)
      .describe('Take from the host many segments of TCP at once, and cut them here (TSO).'),
    coalescing: z
      .boolean()
      .default(true)
      .describe('Give the host segments of TCP that came together as one (GRO).'),
    udp: z.boolean().default(true).describe('Both for UDP too, from Linux 6.2 on (USO).'),
  })
  .prefault({})
  .describe(
    'Fewer calls of the kernel for many frames; others cannot tell. What it does not have is done ' +
      'without. A TUN has none of it.',
  )

const networkInterface = z
  .strictObject({
    vlan: text.describe('Label or VLAN-ID (32 hex digits, or the first of them) of a VLAN of this node.'),
    name: text
      .optional()
      .describe('What the system calls it, at most 15 bytes; by default pt- and the label of the VLAN.'),
    mtu: z
      .int()
      .min(MTU_MIN)
      .max(MTU_MAX)
      .optional()
      .describe(
        'Bytes of an Ethernet payload; by default what the VLAN was founded with (1280 if not said).',
      ),
    addresses: z
      .array(text)
      .max(CIDRS_MAX)
      .default([])
      .describe('Addresses with their prefix lengths, such as "10.7.0.1/24" or "fd00::1/64".')
      .meta({ examples: [['10.7.0.1/24']] }),
    ula: z
      .boolean()
      .default(true)
      .describe('Also the IPv6 address that follows from the VLAN and the member key: nobody hands it out.'),
    kind: z
      .enum(['tap', 'tun'])
      .default('tap')
      .describe(
        'An Ethernet interface; or one for IP alone, around which the node makes an Ethernet: others ' +
          'cannot tell. It has no DHCP, and no bridge may have it.',
      ),
    offload: interfaceOffload,
  })
  .describe('The Ethernet interface of a VLAN.')

const control = z
  .strictObject({
    socket: text
      .default(DEFAULT_PLACES.socket)
      .describe('Path of the Unix socket that commands come in by, for whom its file permissions let.'),
    port: port
      .optional()
      .describe("Also a TCP port on 127.0.0.1 for whoever has the token, with the operator's page."),
  })
  .prefault({})
  .describe('How this node is told what to do.')
  .meta(RESTART)

const level = z.enum(LOG_LEVELS)
const log = z
  .strictObject({
    level: level.default('info').describe('What is logged: this and all that is worse.'),
    modules: z
      .record(z.string(), level)
      .default({})
      .describe('Other levels for parts of the node, such as { "libp2p": "warn" }.'),
    trace: z.boolean().default(false).describe('Name the reason of every dropped frame; much at high rates.'),
  })
  .prefault({})
  .describe('One line of JSON for each entry, or a line for people where a terminal reads it.')
  .meta(RELOAD)

const metrics = z
  .strictObject({
    port: port.optional().describe('TCP port for Prometheus, at /metrics. Without it there is none.'),
    host: text.default('127.0.0.1').describe('IP address that the port is opened on. There is no password.'),
  })
  .prefault({})
  .describe('Figures for a monitoring system.')
  .meta(RESTART)

const addresses = z.array(text).max(ADDRESSES_MAX)

export const configSchema = z
  .strictObject({
    $schema: z.string().optional().describe('For editors.').meta(RELOAD),
    version: z.literal(CONFIG_VERSION).describe('Of this format.').meta(RESTART),
    notes: z
      .array(text)
      .default([])
      .describe('Why things are as they are; JSON has no comments.')
      .meta(RELOAD),
    listen: addresses
      .min(1)
      .default([
        '/ip4/0.0.0.0/udp/4001/quic-v1',
        '/ip6/::/udp/4001/quic-v1',
        '/ip4/0.0.0.0/tcp/4001',
        '/ip6/::/tcp/4001',
        '/ip4/0.0.0.0/tcp/4002/ws',
        '/ip6/::/tcp/4002/ws',
      ])
      .describe('Multiaddrs that others may dial. By default those of transports that are on.')
      .meta(RESTART),
    announce: addresses
      .default([])
      .describe('Multiaddrs to tell others in place of those found out, where a router forwards ports.')
      .meta({ ...RESTART, examples: [['/ip4/203.0.113.7/udp/4001/quic-v1']] }),
    transports,
    datagrams,
    bootstrap: z
      .array(text)
      .max(BOOTSTRAP_MAX)
      .default([])
      .describe('Contacts to find the mesh by: multiaddrs that end in /p2p/ and an id. At most 16 peers.')
      .meta({ ...RELOAD, examples: [['/ip4/203.0.113.7/udp/4001/quic-v1/p2p/12D3KooW...']] }),
    reachability: z
      .enum(['auto', 'public', 'punchable', 'private'])
      .default('auto')
      .describe('How others can dial this node: find out, always, with help of both sides, or never.')
      .meta(RESTART),
    mdns: z.boolean().default(true).describe('Find nodes in the same local network.').meta(RESTART),
    circuitRelay,
    relay,
    interfaces: z
      .array(networkInterface)
      .max(INTERFACES_MAX)
      .default([])
      .describe('VLANs without an entry get an interface with the defaults of one.')
      .meta(RELOAD),
    control,
    log,
    metrics,
  })
  .describe('Configuration of a PeerTap node.')

export type Config = z.output<typeof configSchema>
export type InterfaceConfig = z.output<typeof networkInterface>
export type LogConfig = z.output<typeof log>
export type LogLevel = (typeof LOG_LEVELS)[number]
