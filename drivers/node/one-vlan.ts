/** Which VLAN is meant by an owner who names it, or who need not because there is only one. */
import { short } from '../control/names.ts'
import { done, type Outcome, REFUSAL, refused } from '../control/outcome.ts'
import type { VlanRow, VlanVerbs } from '../control/vlans.ts'

export function oneVlan(verbs: VlanVerbs, name: string | undefined): Outcome<VlanRow> {
  const listed = verbs.list().outcome
  const vlans = listed?.ok ? listed.value.vlans : []
  const living = vlans.filter(({ phase }) => phase !== 'over')
  const meant = living.length > 0 ? living : vlans
  if (name === undefined && meant.length !== 1) {
    const labels = meant.map(({ label, vlan }) => `${label} (${short(vlan)})`).join(', ')
    return meant.length === 0
      ? refused(REFUSAL.noSuchVlan, 'this node has no VLAN; let it join one')
      : refused(REFUSAL.ambiguous, `this node has ${labels}; say in which with --vlan`)
  }
  const shown = verbs.show(name ?? (meant[0]?.vlan as string)).outcome
  if (shown === undefined || !shown.ok) return shown ?? refused(REFUSAL.noSuchVlan, `no VLAN ${name}`)
  return done(vlans.find(({ vlan }) => vlan === shown.value.vlan) as VlanRow)
}
