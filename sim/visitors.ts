/**
 * People at the machines of a run, as the run sees them: they are told what happens there, and have ports
 * of their own beside those of the scenario's VLANs, of which no check knows anything.
 */
import type { NodeEvent, PortId } from '../core/io.ts'

/** Ports from here on are visitors'; VLANs of a scenario have lower ones. */
export const VISITOR_PORT = 1_048_576

/** Calls come within the step of which they tell: whoever wants to ask for something waits for its end. */
export interface Visitors {
  started(node: number): void
  stopped(node: number): void
  noted(node: number, event: NodeEvent): void
  /** For a port of theirs; the bytes are lent. */
  delivered(node: number, port: PortId, frame: Uint8Array): void
}

export function isVisitorPort(port: PortId): boolean {
  return port >= VISITOR_PORT
}
