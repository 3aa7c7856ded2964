/**
 * @packageDocumentation
 *
 * Set reconciliation by a rateless invertible Bloom lookup table: Lei Yang, Yossi Gilad and Mohammad Alizadeh, *Practical
 * Rateless Set Reconciliation*, SIGCOMM 2024 (arXiv 2402.02668). A sketch of a set of short IDs is kept as the set
 * changes; the coded symbols of two sketches, subtracted, peel into exactly the IDs that only one of the sets has. The
 * bytes are those of `docs/protocol/symbols.md`.
 */

export { type Decoder, type DecoderInit, decoder, decoderDefaults } from './decoder.ts'
export { InvalidSymbolsError, SetChangedError } from './errors.ts'
export { estimateDifferences } from './estimate.ts'
export { SHORT_ID_BYTES } from './mapping.ts'
export { type Sketch, type SketchInit, sketch, sketchDefaults } from './sketch.ts'
export { symbolsFor } from './symbols-for.ts'
