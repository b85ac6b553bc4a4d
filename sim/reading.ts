/**
 * How files of JSON are read strictly and their mistakes explained, and how names and numbers are read and
 * written, for drivers that have nothing to simulate: apart from sim/index.ts, because a node must not load a
 * simulator to read its configuration.
 */
export { decimal } from './data/error.ts'
export { formatNumber } from './results.ts'
export { explain, type Mistake, pathText } from './scenario/explain.ts'
export { readJson } from './scenario/json.ts'
export { nearestName } from './scenario/names.ts'
export { inputSchema, type JsonSchema } from './scenario/rules.ts'
