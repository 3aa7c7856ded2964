#!/usr/bin/env node
// Committed, not built, so that the command is linked by an install that comes before the first build.
import { launch } from './launch.js'

await launch(new URL('../dist/bin.js', import.meta.url))
