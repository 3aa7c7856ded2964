import { project } from '../../vitest.base.ts'

export default project('content-routing')
