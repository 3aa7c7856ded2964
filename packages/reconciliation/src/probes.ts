import { CHECKSUM, FIELDS } from './encoding.ts'

export const MAX_PROBE_BYTES = 40
const MAX_PROBES = MAX_PROBE_BYTES * 8

/** Where probes are taken, ascending: each one lies a fortieth of its index further, and at least one. */
export const PROBED: readonly number[] = probed()

function probed(): number[] {
  const indices = [0]
  for (let index = 0; indices.length < MAX_PROBES; indices.push(index)) index += 1 + Math.floor(index / 40)
  return indices
}

/**
 * One bit of each probed symbol, of its checksums, another for each of 64 symbols in a row. In a symbol that any differing
 * IDs are in, the bits of two sets agree with the probability 1/2, so a bit a symbol tells the most that 40 bytes can.
 * Only whole bytes.
 */
export function encodeProbes(fields: Int32Array, capacity: number): Uint8Array {
  const beyond = PROBED.findIndex((index) => index >= capacity)
  const probes = new Uint8Array(Math.floor((beyond === -1 ? MAX_PROBES : beyond) / 8))
  for (let at = 0; at < probes.length * 8; at++) {
    const checksum = fields[(PROBED[at] ?? 0) * FIELDS + CHECKSUM + ((at >> 5) & 1)] ?? 0
    probes[at >> 3] = (probes[at >> 3] ?? 0) | (((checksum >>> (at & 31)) & 1) << (at & 7))
  }
  return probes
}
