import { defineConfig } from 'tsup'

type Config = ReturnType<typeof defineConfig>

/** The JavaScript of a package, one file per entry of `src`. `tsc` writes the declarations, beside it in `dist`. */
export function javascript(...entries: string[]): Config {
  return defineConfig({
    entry: entries.map((entry) => `src/${entry}.ts`),
    format: 'esm',
    target: 'node22',
    platform: 'node',
    sourcemap: true,
    clean: true,
    // `node:sqlite` exists under no other name.
    removeNodeProtocol: false,
    // tsup's own declarations crash on TypeScript 7.
    dts: false
  })
}
