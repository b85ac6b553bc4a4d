/** A hand that knocks at one door packet by packet, for tests of what a sponsor makes of each. */
import { DOOR_KIND, type DoorKind, Envelope, type Opened } from '../../core/door/envelope.ts'
import {
  agree,
  encodeCall,
  type HandshakeKeys,
  makeProof,
  NO_HEAD,
  openAnswer,
  type Purpose,
  sponsorKeyOf,
} from '../../core/door/handshake.ts'
import { Session } from '../../core/door/session.ts'
import { doorRoute, type Route, routeOf } from '../../core/door/token.ts'
import { hex } from '../../core/ids.ts'
import { encodeChain } from '../../core/ledger/certificate.ts'
import type { Certificate } from '../../core/ledger/standing.ts'
import { routeToken } from '../../core/vlan/tokens.ts'
import { tokenOf } from '../../core/wire/packet.ts'
import type { DoorNode, Person } from './door-node.ts'
import type { DoorWorld } from './door-world.ts'

/** A handshake as far as it got. */
export interface Knock {
  readonly d1: Uint8Array
  readonly secret: Uint8Array
  readonly d2: Uint8Array
  readonly keys: HandshakeKeys
  /** Route key of who answered. */
  readonly back: Uint8Array
}

export class Hand {
  readonly world: DoorWorld
  readonly node: DoorNode
  readonly envelope: Envelope
  readonly door: Uint8Array
  readonly route: Route
  readonly outgoing: Uint8Array[] = []

  constructor(world: DoorWorld, node: DoorNode) {
    const { crypto, founding, keys } = world
    this.world = world
    this.node = node
    this.envelope = new Envelope(crypto, keys, founding.vlan, founding.doorKey)
    this.door = doorRoute(crypto, founding.vlan, founding.doorKey).token
    this.route = routeOf(crypto, founding.vlan, keys.bytes(32))
  }

  /** Puts one packet in; what the node sent because of it. */
  put(packet: Uint8Array): Uint8Array[] {
    const before = this.world.seen.length
    this.node.packet(packet)
    return this.world.seen.slice(before)
  }

  send(kind: DoorKind, body: Uint8Array, token = this.door): Uint8Array[] {
    return this.put(this.envelope.seal(token, kind, body))
  }

  /** What is in the packets for this hand. */
  read(packets: readonly Uint8Array[]): Opened[] {
    const own = packets.filter((packet) => hex(tokenOf(packet)) === hex(this.route.token))
    return own.map((packet) => this.envelope.open(packet)).filter((opened) => typeof opened !== 'string')
  }

  call(purpose: Purpose = 'join', head = NO_HEAD): { d1: Uint8Array; secret: Uint8Array } {
    const secret = this.world.keys.bytes(32)
    const ephemeral = this.world.crypto.agreement.publicKey(secret)
    return { d1: encodeCall({ ephemeral, route: this.route.key, purpose, head }), secret }
  }

  /** Calls and takes the answer. */
  knock(purpose: Purpose = 'join', head = NO_HEAD): Knock {
    const { d1, secret } = this.call(purpose, head)
    const [answer] = this.read(this.send(DOOR_KIND.call, d1))
    if (answer?.kind !== DOOR_KIND.answer) throw new Error('nobody answered')
    const { crypto } = this.world
    const sponsorKey = sponsorKeyOf(answer.body) as Uint8Array
    const keys = agree(crypto, d1, sponsorKey, secret, sponsorKey) as HandshakeKeys
    const said = openAnswer(crypto, answer.body, keys)
    if (said === undefined) throw new Error('an answer that does not open')
    return { d1, secret, d2: answer.body, keys, back: said.route }
  }

  /** D3 of a member with that certificate. */
  proof(knock: Knock, person: Person, certificate: Certificate): Uint8Array {
    const { crypto, founding } = this.world
    return makeProof(crypto, founding.vlan, person.seed, knock, encodeChain(certificate))
  }

  /** The caller's end of the session. */
  session(knock: Knock, purpose: Purpose = 'join'): Session {
    const { crypto, founding, now } = this.world
    const wires = {
      send: (_now: number, packet: Uint8Array) => void this.outgoing.push(packet),
      hold: () => undefined,
      release: () => undefined,
    }
    return new Session(
      now,
      { ...this.node.context, wires },
      {
        keys: knock.keys,
        side: 'caller',
        token: routeToken(crypto, founding.vlan, knock.back),
        member: this.node.person.key,
        purpose,
        messageMax: 1_000_000,
      },
    )
  }

  /** What the sessions of this hand sent since it was last asked. */
  sent(): Uint8Array[] {
    return this.outgoing.splice(0)
  }
}
