import { defineProject, type UserWorkspaceConfig } from 'vitest/config'

const conditions = ['@registry/source', 'node', 'import', 'module', 'default']

/** The test configuration of one package. Neighbours are taken from their source: nothing has to be built. */
export function project(name: string, options: { testTimeout?: number } = {}): UserWorkspaceConfig {
  return defineProject({
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: conditions } },
    test: {
      ...options,
      name,
      include: ['test/**/*.test.ts'],
      // What Node itself imports in a test, and the processes that a test starts with `process.execArgv`.
      execArgv: ['--conditions=@registry/source']
    }
  })
}
