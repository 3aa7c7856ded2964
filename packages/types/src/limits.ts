/** Bounds that are part of the protocol: two peers that differ in them do not understand each other. */
export const PROTOCOL_LIMITS: {
  readonly maxRecordBytes: number
  readonly maxBlockBytes: number
  readonly chunkBytes: number
  readonly maxPackageBytes: number
  readonly maxShardBits: number
  readonly maxReleasesPerVersion: number
} = Object.freeze({
  /** One signed record, envelope included. */
  maxRecordBytes: 64 * 1024,
  /** One content block: a chunk, or a dag-pb node that links to at most 1024 of them. */
  maxBlockBytes: 1024 * 1024 + 128 * 1024,
  /** A tarball up to this size is one raw block; above, a UnixFS file of raw leaves of this size. */
  chunkBytes: 1024 * 1024,
  /** One tarball. */
  maxPackageBytes: 512 * 1024 * 1024,
  /**
   * The catalogue is cut into at most 2^8 shards: of so many a peer keeps sketches, and each is dense enough among all
   * records to be read in their order.
   */
  maxShardBits: 8,
  /** Of the records of one version, more than one of which is a conflict: those with the smallest IDs are kept. */
  maxReleasesPerVersion: 16
})
