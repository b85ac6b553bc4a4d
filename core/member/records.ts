/** Under which numbers a node's records are kept: a few of its own, then those of each port. */
import type { Slot } from '../group/effects.ts'
import type { PortId, StoreId } from '../io.ts'

/** The slots of a port, by their place in its records. */
const SLOTS: readonly Slot[] = ['head', 'next', 'ledger']
/** Below are the node's own records. */
export const FIRST_RECORD = 16

/** The record in which a port's slot is kept. */
export function recordOf(port: PortId, slot: Slot): StoreId {
  return (FIRST_RECORD + port * SLOTS.length + SLOTS.indexOf(slot)) as StoreId
}
