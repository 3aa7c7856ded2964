import { expect, it } from 'vitest'
import * as cli from '../src/index.ts'

it('exports the command line as a function and as a program to look at', () => {
  expect(Object.keys(cli).sort()).toEqual(['createProgram', 'main'])
})
