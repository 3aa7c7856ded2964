/** What to do under a given Node: go on, go on under a newer one that is there or that npm brings, or say why not. */
export type LaunchPlan =
  | { readonly kind: 'run' }
  | { readonly kind: 'relaunch'; readonly node: string }
  | { readonly kind: 'fetch' }
  | { readonly kind: 'refuse' }

export interface LaunchInputs {
  /** As `process.versions.node` has it. */
  readonly version: string
  /** Where the search for `node_modules/.bin/node` starts; it goes up from there, nearest first. */
  readonly folder: string
  /** Whether this process was already started by a relaunch, which is not done twice. */
  readonly relaunched: boolean
  readonly exists?: (path: string) => boolean
}

/** Decides; does nothing. */
export declare function planLaunch(inputs: LaunchInputs): LaunchPlan

/**
 * Runs the module `entry`: in this process, or, where this Node is too old, in a newer one, found nearby
 * or fetched once with npm, whose exit code or signal becomes this process's. Resolves when `entry` was evaluated, or the newer one has ended.
 * Where neither can be, prints a sentence with a hint and sets exit code 1.
 */
export declare function launch(entry: URL): Promise<void>
