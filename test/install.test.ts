/**
 * What a user gets: every package is built, packed and installed from its tarball into an empty project, where the first
 * example of its README (marked `<!-- example -->`) must satisfy a strict `tsc` that also checks the declarations of the
 * package, and must run in plain Node. `publint` reads the tarball.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

const root = fileURLToPath(new URL('..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'sinter-install-'));
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const nodeTypes = readJson<Manifest>(join(root, 'node_modules/@types/node/package.json')).version;

const folders = readdirSync(join(root, 'packages')).filter((name) =>
  existsSync(join(root, 'packages', name, 'package.json')),
);
const manifests = new Map(
  folders.map((folder) => readJson<Manifest>(join(root, 'packages', folder, 'package.json'))).map((m) => [m.name, m]),
);
const tarballs = new Map<string, Packed>();

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

/** Runs a program and returns what it printed; if it fails, the error shows all of that. */
async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  try {
    const { NODE_OPTIONS: _, ...env } = process.env;
    return (await promisify(execFile)(program, args, { cwd, env, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${program} ${args.join(' ')} failed\n${stdout}${stderr}`, { cause: error });
  }
}

/** The first TypeScript or JavaScript block behind `<!-- example -->`, or `undefined`. */
function exampleOf(folder: string): string | undefined {
  const readme = join(root, 'packages', folder, 'README.md');
  if (!existsSync(readme)) return undefined;
  return /<!-- example -->\s*```(?:ts|js|typescript|javascript)\n(.*?)^```/ms.exec(readFileSync(readme, 'utf8'))?.[1];
}

/** `names` and all of our packages that they need. */
function closure(names: Iterable<string>): Set<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (!manifests.has(name) || found.has(name)) return;
    found.add(name);
    for (const dependency of Object.keys(manifests.get(name)?.dependencies ?? {})) visit(dependency);
  };
  for (const name of names) visit(name);
  return found;
}

/** What users install beside a package, optional or not, and is not ours. */
function peersOf(name: string): Record<string, string> {
  const peers = Object.entries(manifests.get(name)?.peerDependencies ?? {});
  return Object.fromEntries(peers.filter(([peer]) => !manifests.has(peer)));
}

beforeAll(async () => {
  await run(root, 'npx', 'nx', 'run-many', '-t', 'build');
  const packed = await run(
    root,
    'npm',
    'pack',
    '--workspaces',
    '--ignore-scripts',
    '--json',
    '--pack-destination',
    work,
  );
  const list: unknown = JSON.parse(packed);
  for (const entry of Object.values(list as Record<string, Packed>)) tarballs.set(entry.name, entry);
}, 300_000);

afterAll(() => rmSync(work, { recursive: true, force: true }));

describe.concurrent.each(folders)('%s', (folder) => {
  const name = readJson<Manifest>(join(root, 'packages', folder, 'package.json')).name;

  test('carries its code, types and licence, and no tests', () => {
    const paths = tarballs.get(name)?.files.map((file) => file.path) ?? [];
    const wanted = ['dist/index.js', 'dist/index.d.ts', 'src/index.ts', 'LICENSE', 'README.md'];
    expect(wanted.filter((path) => !paths.includes(path))).toEqual([]);
    expect(paths.filter((path) => path.includes('.test.'))).toEqual([]);
  });

  test('pleases publint', async () => {
    const tarball = readFileSync(join(work, tarballs.get(name)?.filename ?? ''));
    const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(tarball).buffer }, level: 'warning' });
    expect(messages.map((message) => formatMessage(message, pkg ?? {}))).toEqual([]);
  });

  test('its example is well typed and runs where only the package is installed', async () => {
    const example = exampleOf(folder);
    if (example === undefined) throw new Error(`packages/${folder}/README.md has no example behind <!-- example -->`);
    const imported = [...example.matchAll(/from '(@sinter\/[^/']+)/g)].map((match) => match[1] ?? '');
    expect(imported).toContain(name);
    const project = join(work, folder);
    mkdirSync(project);
    const ours = [...closure([name, ...imported])].map((one) => [one, `file:../${tarballs.get(one)?.filename}`]);
    const write = (file: string, content: unknown): void => writeFileSync(join(project, file), JSON.stringify(content));
    write('package.json', {
      private: true,
      type: 'module',
      dependencies: Object.fromEntries(ours),
      devDependencies: { '@types/node': nodeTypes, ...peersOf(name) },
    });
    write('tsconfig.json', {
      compilerOptions: {
        target: 'ES2023',
        module: 'NodeNext',
        types: ['node'],
        strict: true,
        noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmitOnError: true,
      },
      files: ['example.ts'],
    });
    writeFileSync(join(project, 'example.ts'), example);
    await run(project, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock');
    await run(project, process.execPath, tsc);
    await run(project, process.execPath, 'example.js');
  });
});
