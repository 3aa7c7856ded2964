import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { projects: ['packages/*', 'apps/*', 'examples/*', 'e2e', 'bench'], passWithNoTests: false }
})
