/** What verbs show, as plain data: rows of members and of grants, and one VLAN in full. */
import { hex, type Mac, unhex } from '../../core/ids.ts'
import { type Micros, SECOND } from '../../core/io.ts'
import type { Grant } from '../../core/ledger/facts.ts'
import type { Ledger } from '../../core/ledger/ledger.ts'
import type { HeldVlan } from './held.ts'
import { macWritten } from './names.ts'
import type { Place } from './node.ts'

/**
 * Cards come every 30 to 90 s (core/seal/limits.ts): so long a member that is there may well say nothing, and
 * nothing speaks against it.
 */
const FRESH: Micros = 30 * SECOND
/** Registrations come to the root within this. Guess. */
const ARRIVING: Micros = 2 * SECOND
/** Two cards in a row are missing. */
const LOST: Micros = 200 * SECOND

/**
 * `online`: its token is registered below here, or it was heard just now. `quiet`: it was heard a while ago,
 * and whether it is still there only others can know. `offline`: nobody has its token, or it was not heard
 * for longer than one that is there is silent.
 */
export type Presence = 'online' | 'quiet' | 'offline'

export interface MemberRow {
  /** Key in hex. */
  readonly member: string
  readonly self: boolean
  readonly role: 'member' | 'admin'
  /** Undefined until its card came. */
  readonly mac: string | undefined
  /** This node itself is always online. */
  readonly presence: Presence
  readonly online: boolean
  /** Undefined for this node itself, and for one that was not heard since this node is in. */
  readonly heardSecondsAgo: number | undefined
  /** Wall times in milliseconds. */
  readonly sinceMillis: number
  readonly endsMillis: number | undefined
  /** Why it is on its way out. */
  readonly refused: string | undefined
}

export interface GrantRow {
  /** In hex. */
  readonly serial: string
  readonly kind: 'member' | 'invitation'
  readonly role: 'member' | 'admin'
  /** Key of whoever holds it, or redeemed it first; undefined for an invitation that nobody has redeemed. */
  readonly holder: string | undefined
  /** Serial of the admin who issued it; undefined for the authority. */
  readonly issuer: string | undefined
  readonly endsMillis: number
  /** `stands`, `unused`, `over`, or why not: `revoked`, `left`, `void`, `lost`. */
  readonly state: string
}

export interface VlanDetails {
  readonly vlan: string
  readonly label: string
  readonly phase: string
  readonly asking: boolean
  readonly over: string | undefined
  readonly off: boolean
  /** How many of how many keys sign for the authority. */
  readonly signers: { readonly needed: number; readonly of: number }
  /** From the Charter; undefined until it was shown. */
  readonly terms:
    | {
        readonly privacy: string
        readonly suite: number
        readonly mtu: number
        readonly sign: string
        readonly padding: string
        readonly version: number
      }
    | undefined
  readonly member: string
  /** Undefined without an epoch. */
  readonly mac: string | undefined
  readonly epoch: number
  readonly mlsId: string | undefined
  readonly members: number
  readonly facts: number
  readonly counters: Readonly<Record<string, number>>
}

/** `placeOf`: where the mesh has the token of a MAC of that VLAN, as far as this node knows. */
export function memberRows(held: HeldVlan, now: Micros, placeOf: (mac: Mac) => Place): MemberRow[] {
  const view = held.view()
  if (view === undefined) return []
  const ledger = held.ledger()
  const admins = adminsOf(held, ledger)
  return view.members.map(({ member, mac, joinedMillis, heardAt }) => {
    const key = unhex(member)
    const self = member === view.self
    const place = mac === undefined ? 'unknown' : placeOf(mac)
    const presence = self ? 'online' : presenceOf(heardAt === undefined ? undefined : now - heardAt, place)
    return {
      member,
      self,
      role: admins.has(member) ? 'admin' : 'member',
      mac: macWritten(self ? view.mac : mac),
      presence,
      online: presence === 'online',
      heardSecondsAgo: heardAt === undefined ? undefined : (now - heardAt) / SECOND,
      sinceMillis: joinedMillis,
      endsMillis: ledger.certificate(key)?.grant.end,
      refused: ledger.refused(key)?.why,
    }
  })
}

function presenceOf(silent: Micros | undefined, place: Place): Presence {
  // A card that came after a restart is there before the registration is.
  if (silent !== undefined && silent <= ARRIVING) return 'online'
  if (place === 'nowhere') return 'offline'
  if (silent === undefined) return 'quiet'
  if (silent > LOST) return 'offline'
  return place === 'below' || silent <= FRESH ? 'online' : 'quiet'
}

/** A member that is out may never have seen what put it out: what it holds is void all the same. */
export function grantRows(held: HeldVlan, wallMillis: number): GrantRow[] {
  const ledger = held.ledger()
  const { self } = held
  const { over } = held.kept
  return held.grants().map((grant) => {
    const [holder] = ledger.holders(grant.id)
    const isOut = over !== undefined && holder !== undefined && hex(holder) === self
    return {
      serial: hex(grant.id),
      kind: grant.holderKind,
      role: grant.role,
      holder: holder && hex(holder),
      issuer: grant.issuer && hex(grant.issuer),
      endsMillis: grant.end,
      state: isOut ? over : stateOf(ledger, grant, holder, wallMillis),
    }
  })
}

export function vlanDetails(held: HeldVlan): VlanDetails {
  const view = held.view()
  const ledger = held.ledger()
  const charter = ledger.charter()
  const { policy } = held.kept.identity
  return {
    vlan: held.kept.vlan,
    label: held.label,
    phase: held.phase(),
    asking: held.isAsking(),
    over: held.kept.over,
    off: held.off,
    signers: policy.kind === 'one' ? { needed: 1, of: 1 } : { needed: policy.needed, of: policy.keys.length },
    terms: charter && {
      privacy: charter.privacy,
      suite: charter.suite,
      mtu: charter.mtu,
      sign: charter.sign,
      padding: charter.padding,
      version: charter.version,
    },
    member: held.self,
    mac: macWritten(view?.mac),
    epoch: view?.epoch ?? -1,
    mlsId: view?.mlsId,
    members: view?.members.length ?? 0,
    facts: ledger.size,
    counters: view?.counters ?? {},
  }
}

/** Keys of those whose grant as an admin was not revoked. */
function adminsOf(held: HeldVlan, ledger: Ledger): ReadonlySet<string> {
  const standing = held.grants().filter(({ id, role }) => role === 'admin' && ledger.fallen(id) === undefined)
  return new Set(standing.map(({ holder }) => hex(holder)))
}

function stateOf(ledger: Ledger, grant: Grant, holder: Uint8Array | undefined, wallMillis: number): string {
  const fallen = ledger.fallen(grant.id)
  if (fallen !== undefined) return fallen
  const why = holder === undefined ? undefined : ledger.refused(holder)?.why
  if (why !== undefined) return why
  if (wallMillis > 0 && wallMillis >= grant.end) return 'over'
  return holder === undefined ? 'unused' : 'stands'
}
