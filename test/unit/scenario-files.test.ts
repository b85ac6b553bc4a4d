import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { canonicalScenario, dataNeeds, publishedSchema } from '../../sim/scenario/publish.ts'
import { readScenario } from '../../sim/scenario/read.ts'
import { REPOSITORY } from '../support/requirements.ts'

const FOLDER = join(REPOSITORY, 'scenarios')
const FILES = readdirSync(FOLDER).filter((file) => file !== 'schema.json')

const textOf = (file: string): string => readFileSync(join(FOLDER, file), 'utf8')

describe('the scenarios that come with PeerTap', () => {
  it.each(FILES)('%s is in order', (file) => {
    const scenario = readScenario(textOf(file), file)
    expect(scenario.name).toBe(basename(file, '.json'))
    expect(scenario.$schema).toBe('./schema.json')
    expect(scenario.question).toMatch(/\?$/)
    expect(Object.keys(scenario.bounds)).not.toHaveLength(0)
    // Whoever uses recorded data says whose.
    expect(scenario.sources.length).toBeGreaterThanOrEqual(Math.min(1, dataNeeds(scenario).length))
  })

  it('start without any data with the one that `npm start` runs', () => {
    const scenario = readScenario(textOf('churn-fitted-500.json'), 'x')
    expect(dataNeeds(scenario)).toEqual([])
    const manifest = readFileSync(join(REPOSITORY, 'package.json'), 'utf8')
    expect(manifest).toContain('scenarios/churn-fitted-500.json')
  })
})

describe('the scenario that the README shows', () => {
  it('is in order, and its lists of kinds are those of the schema', () => {
    const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8')
    const shown = /```json\n(\{\n {2}"version".*?)```/s.exec(readme)?.[1] ?? ''
    expect(readScenario(shown, 'README.md').faults).toHaveLength(1)
    const { faults, churn } = publishedSchema().properties ?? {}
    const kinds = [...(faults?.items?.oneOf ?? []), ...(churn?.oneOf ?? [])].map(
      ({ properties }) => properties?.kind?.const,
    )
    const fitted = churn?.oneOf?.find(({ properties }) => properties?.preset !== undefined)
    for (const name of [...kinds, ...(fitted?.properties?.preset?.enum ?? [])])
      expect(readme, String(name)).toContain(`\`${name}\``)
  })
})

describe('the published schema', () => {
  // If it is not: peertap sim schema > scenarios/schema.json
  it('is the one that lies among the scenarios', () => {
    expect(JSON.parse(textOf('schema.json'))).toEqual(publishedSchema())
  })

  it('describes every key of the first level', () => {
    for (const [key, part] of Object.entries(publishedSchema().properties ?? {})) {
      expect(part.description, key).toMatch(/^[A-Z].*\.$/)
    }
  })
})

describe('the canonical text', () => {
  const base = '"version":1,"name":"a","question":"Is it the same?","seconds":60'

  it('is the same whatever the order of keys and whether defaults are written', () => {
    const one = readScenario(`{${base},"nodes":{"count":4},"$schema":"./schema.json"}`, 'x')
    const other = readScenario(`{"nodes":{"contacts":3,"count":4},${base},"warmupSeconds":30}`, 'x')
    expect(canonicalScenario(one)).toBe(canonicalScenario(other))
  })

  it('differs where scenarios differ', () => {
    const one = readScenario(`{${base},"nodes":{"count":4}}`, 'x')
    const other = readScenario(`{${base},"nodes":{"count":5}}`, 'x')
    expect(canonicalScenario(one)).not.toBe(canonicalScenario(other))
  })
})
