import { PROTOCOL_LIMITS } from '@registry/types'

export interface PackingLimits {
  /** Bytes of the tarball. */
  maxPackageBytes: number
  /** Bytes of all files in it, headers and padding included. */
  maxUnpackedBytes: number
  /** Bytes unpacked for each byte read, once more than `ratioFreeBytes` have been unpacked. */
  maxRatio: number
  ratioFreeBytes: number
  /** Files and folders. */
  maxEntries: number
  /** UTF-8 bytes of one path, without the top folder. */
  maxPathBytes: number
  /** UTF-8 bytes of all paths together, which must be held in memory to find two of a name. */
  maxPathsBytes: number
  maxManifestBytes: number
}

/** What a package may cost whoever packs, checks or unpacks it. */
export const PACKING_LIMITS: Readonly<PackingLimits> = Object.freeze({
  maxPackageBytes: PROTOCOL_LIMITS.maxPackageBytes,
  maxUnpackedBytes: 4 * 1024 ** 3,
  /** Text rarely packs tighter than 1:20; deflate at its very best reaches 1:1032. */
  maxRatio: 200,
  ratioFreeBytes: 64 * 1024 ** 2,
  maxEntries: 100_000,
  maxPathBytes: 1024,
  maxPathsBytes: 16 * 1024 ** 2,
  maxManifestBytes: 1024 ** 2
})
