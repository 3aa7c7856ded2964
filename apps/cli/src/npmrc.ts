import { replaceFile } from './text-file.ts'

/**
 * Writes one setting into a file of npm's, in place of the one that was there, if any, and leaves all else as it is. Only its
 * user can read it then: there are tokens in it.
 */
export async function writeNpmSetting(path: string, key: string, value: string): Promise<void> {
  const change = (text: string): string => {
    const lines = text.split('\n').filter((line) => line.split('=')[0]?.trim() !== key)
    while (lines.at(-1) === '') lines.pop()
    return `${[...lines, `${key}=${value}`].join('\n')}\n`
  }
  await replaceFile(path, change, { mode: 0o600 })
}
