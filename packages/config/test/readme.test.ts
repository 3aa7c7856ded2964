import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { configEnvironment, describeConfig } from '../src/index.ts'
import { exampleConfig } from './settings.ts'

it('is described in the README, setting by setting', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const rows = describeConfig(exampleConfig(), { overrides: {}, origins: new Map() })
  const lines = rows.map(({ path, env, description }) => {
    return `| \`${path}\` | ${env.map((name) => `\`${name}\``).join(' ')} | ${description} |`
  })
  expect(readme).toContain(lines.join('\n'))
  expect(rows).toHaveLength(configEnvironment.length)
})
