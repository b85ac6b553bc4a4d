/** Who is in which epoch of the chosen VLAN. */

/** As many as have colours of their own. */
export const EPOCHS_SHOWN = 7

/** Epochs that somebody is in, the one seen last first. */
export function newestEpochs(epochs: Int32Array): { readonly epoch: number; readonly members: number }[] {
  const counts = new Map<number, number>()
  for (const epoch of epochs) if (epoch >= 0) counts.set(epoch, (counts.get(epoch) ?? 0) + 1)
  return [...counts].map(([epoch, members]) => ({ epoch, members })).toSorted((a, b) => b.epoch - a.epoch)
}
