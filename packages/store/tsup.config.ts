import { javascript } from '../../tsup.base.ts'

export default javascript('index', 'checkpoint-worker', 'verify-worker')
