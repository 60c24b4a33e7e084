// What the linter checks: the direction of imports, and a few habits that neither the compiler nor the formatter sees.
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/** The arrows between packages; `test` is what the tests of a package may use besides. Both point down, so no cycle can arise. */
const packages = {
  ir: { uses: [], test: [] },
  logger: { uses: [], test: [] },
  compiler: { uses: ['ir'], test: [] },
  conformance: { uses: ['ir', 'compiler'], test: [] },
  'backend-cpu': { uses: ['ir', 'compiler'], test: ['conformance'] },
  'backend-webgpu': { uses: ['ir', 'compiler'], test: ['conformance'] },
  models: { uses: ['ir', 'compiler'], test: ['conformance', 'backend-cpu'] },
  trainer: { uses: ['ir', 'compiler'], test: ['conformance', 'backend-cpu', 'models', 'logger'] },
  cli: { uses: ['ir', 'compiler', 'backend-cpu', 'backend-webgpu', 'models', 'trainer'], test: [] },
};

/** Code that must run wherever JavaScript does, and the libraries that do too. */
const pure = { ir: [], compiler: [], conformance: ['fast-check'] };

const tests = ['**/*.test.ts', '**/*.test.kit.ts'];

/** Folders of those packages that run in Node only, each with an entry point of its own. */
const nodeOnly = ['packages/compiler/src/cache/*.ts'];

const boundaries = (/** @type {boolean} */ inTests) => [
  'error',
  {
    // Tests and examples may use the repository's own tools, and an example what another one has: none of it is published.
    allow: inTests ? ['^(\\.\\./)+tools/', '^@sinter/example-'] : [],
    depConstraints: [
      ...Object.entries(packages).map(([name, { uses, test }]) => ({
        sourceTag: `pkg:${name}`,
        onlyDependOnLibsWithTags: [...uses, ...(inTests ? test : [])].map((used) => `pkg:${used}`),
      })),
      { sourceTag: 'pkg:example', onlyDependOnLibsWithTags: ['*'] },
    ],
  },
];

/** Forbids every import whose specifier does not match `allowed`, written as `import`, `export from` or `import()`. */
const onlyImports = (/** @type {string} */ allowed, /** @type {string} */ message) => ({
  'no-restricted-imports': ['error', { patterns: [{ regex: `^(?!${allowed})`, message }] }],
  'no-restricted-syntax': [
    'error',
    { selector: `ImportExpression[source.value=/^(?!${allowed.replaceAll('/', '\\u002F')})/]`, message },
  ],
});

export default tseslint.config(
  { ignores: ['**/dist/', '**/.tsc/', '**/node_modules/', '.nx/', '.venv/', '.cache/', 'coverage/', 'docs/api/'] },
  {
    files: ['**/*.ts', '**/*.js'],
    extends: [tseslint.configs.base],
    plugins: { '@nx': nx },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@nx/enforce-module-boundaries': boundaries(false),
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' },
      ],
      '@typescript-eslint/no-unused-expressions': 'error',
      'no-restricted-exports': [
        'error',
        {
          restrictDefaultExports: {
            direct: true,
            named: true,
            defaultFrom: true,
            namedFrom: true,
            namespaceFrom: true,
          },
        },
      ],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-fallthrough': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': ['error', { destructuring: 'all' }],
    },
  },
  {
    // A promise that nobody awaits loses its error.
    files: ['packages/*/src/**/*.ts', 'examples/**/*.ts'],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
    },
  },
  {
    files: [...tests, 'examples/**/*.ts'],
    rules: { '@nx/enforce-module-boundaries': boundaries(true) },
  },
  ...Object.entries(pure).map(([name, libraries]) => ({
    files: [`packages/${name}/src/**/*.ts`],
    ignores: [...tests, ...nodeOnly],
    rules: {
      ...onlyImports(
        `(${['[.@]', ...libraries.map((library) => `${library}$`)].join('|')})`,
        'This package runs in browsers too: it may use nothing of Node.',
      ),
      'no-restricted-globals': ['error', 'process', 'Buffer', 'require', '__dirname', '__filename', 'setImmediate'],
    },
  })),
  {
    files: ['packages/backend-*/src/runtime/**/*.ts'],
    ignores: tests,
    rules: onlyImports(
      '(\\./|node:|@sinter/(ir|compiler/artifact)$)',
      'The runtime loads artifacts without the compiler: it may import only its own folder, @sinter/ir and @sinter/compiler/artifact.',
    ),
  },
  {
    // A folder inside the runtime's may use the runtime's other files.
    files: ['packages/backend-*/src/runtime/*/**/*.ts'],
    ignores: tests,
    rules: onlyImports(
      '(\\.\\.?\\/(?!\\.)|node:|koffi$|@sinter/(ir|compiler/artifact)$)',
      'The runtime loads artifacts without the compiler: it may import only its own folder, @sinter/ir and @sinter/compiler/artifact.',
    ),
  },
  {
    // Tools read these by their default export.
    files: ['**/*.config.ts', '**/*.config.js'],
    rules: { 'no-restricted-exports': 'off' },
  },
);
