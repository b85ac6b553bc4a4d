/**
 * Who may import whom. The comment of a rule says what to do instead; the folder's own head comment
 * says why. Type-only imports count: a type that crosses a border is a border crossed.
 */

const npm = (...names) => `(^|node_modules/)(${names.join('|')})(/|$)`

const CURVES = '@noble/(ciphers|curves|hashes)'
const MLS = ['ts-mls', '@hpke/[^/]+']

/** A folder may import from these places and from no other. */
function only(name, from, allowed, comment) {
  return { name, comment, severity: 'error', from, to: { pathNot: allowed, couldNotResolve: false } }
}

export default {
  forbidden: [
    only(
      'core-is-pure',
      { path: '^core/', pathNot: '^core/mls/tsmls' },
      ['^core/', npm(CURVES)],
      'core imports core and @noble only (its MLS engine has a rule of its own). Use core/io.ts.',
    ),
    only(
      'core-mls-is-pure',
      { path: '^core/mls/tsmls' },
      ['^core/', npm(CURVES, ...MLS)],
      'The ts-mls engine imports core, @noble, ts-mls and its HPKE packages only.',
    ),
    only(
      'sim-is-portable',
      { path: '^sim/' },
      ['^sim/', '^core/', npm('seedrandom', '@types/seedrandom', 'zod')],
      'sim imports sim, core, seedrandom and zod only, to run in a browser worker. Files belong to drivers.',
    ),
    only(
      'viz-is-portable',
      { path: '^viz/', pathNot: '\\.config\\.ts$' },
      ['^viz/', '^sim/', '^core/', npm('d3', 'd3-[a-z-]+', '@types/d3', '@types/d3-[a-z-]+')],
      'viz imports viz, sim, core and d3 only.',
    ),
    {
      name: 'sim-through-its-index',
      comment:
        'drivers reach the simulator through sim/index.ts, and how files are read through sim/reading.ts; ' +
        'export there what is missing.',
      severity: 'error',
      from: { path: '^drivers/' },
      to: { path: '^sim/', pathNot: '^sim/(index|reading)\\.ts$' },
    },
    {
      name: 'a-node-loads-no-simulator',
      comment: 'A simulator in a real node costs 15 MB and a third of a second. Use sim/reading.ts.',
      severity: 'error',
      from: { path: '^drivers/(node/(daemon|core-thread)|cli/node/(up|run-node|show))\\.ts$' },
      to: { path: '^sim/(index|run|live|world)\\.ts$', reachable: true },
    },
    {
      name: 'no-node-in-portable-code',
      comment: 'core, sim and viz run in a browser; what needs Node belongs to drivers.',
      severity: 'error',
      from: { path: '^(core|sim|viz)/', pathNot: '\\.config\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'drivers-stay-below',
      comment: 'drivers do not reach into the browser application.',
      severity: 'error',
      from: { path: '^drivers/' },
      to: { path: '^viz/' },
    },
    {
      name: 'nothing-imports-tests',
      comment: 'What tests share lives in test/support; what the program needs does not live under test.',
      severity: 'error',
      from: { pathNot: '^(test|\\.config)/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-cycles',
      comment: 'Two modules that need each other are one module, or share a third. Types count too.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'Nobody imports this file and it imports nobody: delete it or use it.',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.(test|bench|config|d)\\.ts$', '^\\.config/'] },
      to: {},
    },
    {
      name: 'resolvable',
      comment: 'The import leads nowhere. Relative imports carry their extension: ./dice.ts.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared',
      comment: 'Used but not in package.json: npm install --save-exact it.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-development-packages-in-the-program',
      comment: 'The program needs this at run time: move it from devDependencies to dependencies.',
      severity: 'error',
      from: { path: '^(core|sim|drivers)/' },
      to: {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['type-only'],
        pathNot: 'node_modules/@types/',
      },
    },
  ],
  options: {
    // Reads the sources with the compiler's own parser and keeps type-only imports.
    parser: 'tsc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: ['node_modules', '^\\.\\./'] },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
    builtInModules: { add: ['node:sqlite', 'node:test', 'node:sea'] },
  },
}
