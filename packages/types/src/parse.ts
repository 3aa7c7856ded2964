import { InvalidValueError } from './errors.ts'

/** The parsers' building blocks: each takes `unknown`, names the field in its error and bounds what it lets through. */

export function parseMap(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw new InvalidValueError(field, 'must be a map')
  }
  return value as Record<string, unknown>
}

export function parseText(value: unknown, field: string, maxLength: number): string {
  if (typeof value !== 'string') throw new InvalidValueError(field, 'must be a text')
  if (value.length > maxLength)
    throw new InvalidValueError(field, `must be at most ${maxLength} characters long`)
  if (!value.isWellFormed()) throw new InvalidValueError(field, 'must be well-formed Unicode')
  return value
}

export function parseOptionalText(value: unknown, field: string, maxLength: number): string | undefined {
  return value === undefined ? undefined : parseText(value, field, maxLength)
}

export function parseCount(value: unknown, field: string, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) {
    throw new InvalidValueError(field, `must be a whole number from 0 to ${max}`)
  }
  return value
}

export function parseBytes(value: unknown, field: string, maxLength: number, length?: number): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new InvalidValueError(field, 'must be bytes')
  if (length !== undefined && value.length !== length) {
    throw new InvalidValueError(field, `must be ${length} bytes long`)
  }
  if (value.length > maxLength) throw new InvalidValueError(field, `must be at most ${maxLength} bytes long`)
  return value
}

export function parseList<T>(
  value: unknown,
  field: string,
  maxLength: number,
  parseItem: (item: unknown, field: string) => T
): T[] {
  if (!Array.isArray(value)) throw new InvalidValueError(field, 'must be a list')
  if (value.length > maxLength) throw new InvalidValueError(field, `must have at most ${maxLength} entries`)
  return value.map((item, index) => parseItem(item, `${field}[${index}]`))
}

/** A map from text to text, for example dependency ranges. The result has no prototype, so that no key is special. */
export function parseTextMap(
  value: unknown,
  field: string,
  maxEntries: number,
  maxKeyLength: number,
  maxValueLength: number
): Record<string, string> {
  const entries = Object.entries(parseMap(value, field))
  if (entries.length > maxEntries)
    throw new InvalidValueError(field, `must have at most ${maxEntries} entries`)
  const result: Record<string, string> = Object.create(null)
  for (const [key, item] of entries) {
    result[parseText(key, `${field} key`, maxKeyLength)] = parseText(item, `${field}.${key}`, maxValueLength)
  }
  return result
}

export function parseOneOf<T extends string>(value: unknown, field: string, allowed: readonly T[]): T {
  const found = allowed.find((item) => item === value)
  if (found === undefined) throw new InvalidValueError(field, `must be one of ${allowed.join(', ')}`)
  return found
}

export function parseFlag(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') throw new InvalidValueError(field, 'must be true or false')
  return value
}
