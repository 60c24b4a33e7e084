/** The environment variables that steer where models come from, read in this one place; options override each of them. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where models come from and where they are kept. */
export interface HubSettings {
  /** The folder that holds `models--org--name` folders: `HF_HUB_CACHE`, or `hub` in `HF_HOME` (by default `~/.cache/huggingface`). */
  readonly cache_dir: string;
  /** The hub's address without a slash at the end: `HF_ENDPOINT`, or `https://huggingface.co`. */
  readonly endpoint: string;
  /** The access token: `HF_TOKEN`, or the file that `hf auth login` keeps in `HF_HOME`; not if `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set. */
  readonly token: string | undefined;
  /** Whether the network must not be used: `HF_HUB_OFFLINE`. */
  readonly local_files_only: boolean;
  /** Whether a snapshot may point to its blobs by symbolic links: not with `HF_HUB_DISABLE_SYMLINKS`. */
  readonly symlinks: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says about the hub, by the same variables and defaults as Python's `huggingface_hub`. */
export function hubSettings(env: Environment = process.env): HubSettings {
  const home = expand(env['HF_HOME'] || join(cacheHome(env), 'huggingface'));
  const tokenFile = expand(env['HF_TOKEN_PATH'] || join(home, 'token'));
  const token = env['HF_TOKEN'] || (existsSync(tokenFile) ? readFileSync(tokenFile, 'utf8') : '');
  return {
    cache_dir: expand(env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'] || join(home, 'hub')),
    endpoint: (env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, ''),
    token: (!isTrue(env['HF_HUB_DISABLE_IMPLICIT_TOKEN']) && token.trim()) || undefined,
    local_files_only: isTrue(env['HF_HUB_OFFLINE']) || isTrue(env['TRANSFORMERS_OFFLINE']),
    symlinks: !isTrue(env['HF_HUB_DISABLE_SYMLINKS']),
  };
}

/** The folder in which a model from elsewhere than the hub is kept: `sinter/models/NAME` in `XDG_CACHE_HOME` (by default `~/.cache`). */
export function modelCacheFolder(name: string, env: Environment = process.env): string {
  return join(expand(cacheHome(env)), 'sinter', 'models', name);
}

function cacheHome(env: Environment): string {
  return env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
}

function expand(path: string): string {
  return path.replace(/^~(?=$|[\\/])/, homedir());
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes((value ?? '').toUpperCase());
}
