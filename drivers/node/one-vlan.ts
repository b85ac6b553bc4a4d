/** Which VLAN is meant by an owner who names it, or who need not because there is only one. */
import { short } from '../control/names.ts'
import { done, type Outcome, REFUSAL, refused } from '../control/outcome.ts'
import type { VlanRow, VlanVerbs } from '../control/vlans.ts'

export function oneVlan(verbs: VlanVerbs, name: string | undefined): Outcome<VlanRow> {
  if (name !== undefined) return verbs.which(name)
  const listed = verbs.list().outcome
  const vlans = listed?.ok ? listed.value.vlans : []
  const living = vlans.filter(({ phase }) => phase !== 'over')
  const inside = living.filter(({ asking }) => !asking)
  const [meant] = [inside, living, vlans].filter(({ length }) => length > 0)
  const [first] = meant ?? []
  if (meant === undefined || first === undefined)
    return refused(REFUSAL.noSuchVlan, 'this node has no VLAN; let it join one')
  if (meant.length === 1) return done(first)
  const labels = meant.map(({ label, vlan }) => `${label} (${short(vlan)})`).join(', ')
  return refused(REFUSAL.ambiguous, `this node has ${labels}; say in which with --vlan`)
}
