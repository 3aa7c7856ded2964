import { InvalidValueError, parseBytes } from '@registry/types'

/**
 * Byte strings of one width travel as one, end to end: a list of them costs no byte more.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE, more than `max`, or one of another width
 */
export function pack(items: readonly Uint8Array[], field: string, width: number, max: number): Uint8Array {
  if (items.length > max) throw new InvalidValueError(field, `must have at most ${max} entries`)
  const packed = new Uint8Array(items.length * width)
  for (const [index, item] of items.entries()) {
    packed.set(parseBytes(item, `${field}[${index}]`, width, width), index * width)
  }
  return packed
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function unpack(value: unknown, field: string, width: number, max: number): Uint8Array[] {
  const packed = parseBytes(value, field, max * width)
  if (packed.length % width !== 0) throw new InvalidValueError(field, `must be entries of ${width} bytes`)
  return Array.from({ length: packed.length / width }, (_, index) =>
    packed.subarray(index * width, (index + 1) * width)
  )
}
