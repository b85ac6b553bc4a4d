/**
 * The unit by which systemd runs a node: a user of its own that can do no more than make network interfaces.
 */

import { SERVICE_SOCKET } from './places.ts'

/** The first line, by which a unit is known to be ours. */
export const UNIT_MARK = '# Written by "peertap service install"; changes are kept until that is run again.'

export const UNIT_PATH = '/etc/systemd/system/peertap.service'

export interface UnitOptions {
  /** The words that start the node, the program first: absolute paths. */
  readonly command: readonly string[]
  readonly config: string
}

export function unitText({ command, config }: UnitOptions): string {
  const words = [...command, '--config', config].map(quoted).join(' ')
  // A program among somebody's own files must be seen from inside; elsewhere these are nobody's business.
  const home = command.some((word) => /^[/](?:home|root)[/]/.test(word)) ? 'read-only' : 'yes'
  return `${UNIT_MARK}
[Unit]
Description=PeerTap, a decentralised Ethernet
After=network.target
ConditionPathExists=${quotedPath(config)}
# What is in the way, such as a port that another program has, is gone some time.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=${words}
ExecReload=/bin/kill -HUP $MAINPID
# What was compiled once is kept: the next start is faster, and the node smaller.
Environment=PEERTAP_SOCKET=${SERVICE_SOCKET} NODE_COMPILE_CACHE=%C/peertap
CacheDirectory=peertap
Restart=on-failure
RestartSec=2
# But a mistake in a file does not go away by itself.
RestartPreventExitStatus=2
WatchdogSec=30
TimeoutStopSec=20

DynamicUser=yes
StateDirectory=peertap
StateDirectoryMode=0700
RuntimeDirectory=peertap
UMask=0077

# Interfaces need this and nothing else. For ports below 1024 add CAP_NET_BIND_SERVICE to both.
CapabilityBoundingSet=CAP_NET_ADMIN
AmbientCapabilities=CAP_NET_ADMIN
NoNewPrivileges=yes

ProtectSystem=strict
ProtectHome=${home}
PrivateTmp=yes
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# No MemoryDenyWriteExecute: JavaScript is compiled while it runs.

MemoryMax=512M
TasksMax=128
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`
}

/** A word of a command line (systemd.service(5)): specifiers and variables are none of ours. */
function quoted(word: string): string {
  const safe = word
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$')
  return `"${safe}"`
}

function quotedPath(path: string): string {
  return path.replaceAll('%', '%%')
}

/** What a service sees nothing of: it has directories of its own in their place (`PrivateTmp`). */
const HIDDEN = ['/tmp/', '/var/tmp/'] as const

/**
 * Why a service of a user of its own cannot use a file, undefined if it can. `mode`: of a path, undefined
 * where there is nothing.
 */
export function whyUnseen(path: string, mode: (path: string) => number | undefined): string | undefined {
  if (HIDDEN.some((folder) => path.startsWith(folder)))
    return `${path} is in a folder of which each service has one of its own`
  const parts = path.split('/').slice(1)
  for (const [index] of parts.entries()) {
    const at = `/${parts.slice(0, index + 1).join('/')}`
    const isFile = index === parts.length - 1
    const bits = mode(at)
    if (bits === undefined) return undefined
    if ((bits & (isFile ? READABLE : PASSABLE)) === 0) return `${at} is closed to other users than its own`
  }
  return undefined
}

/** For others than owner and group. */
const READABLE = 0o004
const PASSABLE = 0o001
