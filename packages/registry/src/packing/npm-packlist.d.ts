/** What is used of npm-packlist 11, which ships without declarations. */
declare module 'npm-packlist' {
  import type { EventEmitter } from 'node:events'
  import type { Stats } from 'node:fs'

  /** The part of npm's tree of installed packages that the walker reads. */
  export interface PackTree {
    readonly path: string
    readonly package: Readonly<Record<string, unknown>>
    readonly isProjectRoot: boolean
    readonly edgesOut: {
      get(name: string): { to: { path: string; isLink: boolean; target: PackTree } } | undefined
    }
  }

  export interface WalkerEntry {
    entry: string
    /** Whether the rules take it, if it is a file. */
    file: boolean
    st: Stats
  }

  class Walker extends EventEmitter {
    constructor(tree: PackTree, options: { isPackage?: boolean })
    readonly path: string
    readonly root: string
    readonly tree: PackTree
    start(): this
    walkerOpt(entry: string, options: object): { isPackage?: boolean }
    walker(entry: string, options: object, callback: () => void): void
    onReadIgnoreFile(file: string | symbol, data: string, callback: () => void): void
    onstat(options: WalkerEntry, callback: () => void): void
  }

  const packlist: { Walker: typeof Walker }
  // biome-ignore lint/style/noDefaultExport: the module has no other
  export default packlist
}
