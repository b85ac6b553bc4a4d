/**
 * How files of JSON are read strictly and their mistakes explained, for drivers that read others than
 * scenarios: apart from sim/index.ts, because a node must not load a simulator to read its configuration.
 */
export { explain, type Mistake, pathText } from './scenario/explain.ts'
export { readJson } from './scenario/json.ts'
export { inputSchema, type JsonSchema } from './scenario/rules.ts'
