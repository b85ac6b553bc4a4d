/**
 * The simulator as drivers and the browser see it. What is not exported here is nobody else's business;
 * export what is missing rather than reaching inside.
 */
export { decimal } from './data/error.ts'
export { CHUNK_EFFECTS } from './digest.ts'
export { Live, type LiveMachine, type Owner } from './live.ts'
export type { EngineId, MlsEngines } from './mls/engines.ts'
export { EXTENSION, isRecording, PREAMBLE_BYTES } from './recording/format.ts'
export { MARKS_MAX } from './recording/limits.ts'
export { Recording, type RecordingBytes } from './recording/reader.ts'
export { Recorder, type RecordingOptions, type Sink } from './recording/recorder.ts'
export {
  type BoundResult,
  type DataFiles,
  type FaultHits,
  flatMetrics,
  formatLimit,
  formatNumber,
  groupMetrics,
  type Manifest,
  type Metric,
  type Metrics,
  type Onlooker,
  type Progress,
  type RunOptions,
  type RunReport,
  type RunResult,
  type Simulation,
  unitOf,
  type Violation,
} from './results.ts'
export { Run } from './run.ts'
export { endOfFault } from './scenario/faults.ts'
export { nearestName } from './scenario/names.ts'
export { canonicalScenario, type DataNeed, dataNeeds, publishedSchema } from './scenario/publish.ts'
export { blamed, readScenario } from './scenario/read.ts'
export { parseSetting, type Setting } from './scenario/settings.ts'
export type { Limit, Scenario } from './scenario.ts'
export { summarise } from './statistics.ts'
export { isVisitorPort, VISITOR_PORT } from './visitors.ts'
export { vlanOf } from './vlans.ts'
