/**
 * Keeps compiled programs on disk, for Node. Everything else of the compiler runs in browsers too.
 *
 * @packageDocumentation
 */
export type { Cache } from './cache.ts';
export type { DiskCacheOptions } from './disk.ts';
export { cacheFolder, diskCache } from './disk.ts';
