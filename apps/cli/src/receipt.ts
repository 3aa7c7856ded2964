import type { StatementReceipt } from '@registry/types'
import { print, printJson } from './output.ts'
import type { CommonOptions } from './peer.ts'

/** Tells what was stated of which versions; without a record there was nothing new to say. */
export function printReceipt(done: string, receipt: StatementReceipt, { json }: CommonOptions): void {
  const { ids, name, versions } = receipt
  if (json) printJson(receipt)
  else if (ids.length === 0) print(`Nothing changed: it is so already for ${name}.`)
  else if (versions.length === 0) print(`${done} ${name}`)
  else print(...versions.map((version) => `${done} ${name}@${version}`))
}
