/** Which processor and engine this is, as far as the host tells. */

/** `AMD EPYC 9B45, V8 11.3`: what code is quick depends on both. In browsers what they call themselves. */
export async function machine(): Promise<string> {
  const node = typeof process === 'undefined' ? undefined : process.getBuiltinModule;
  if (!node) return globalThis.navigator?.userAgent ?? '';
  const model = node('node:os').cpus()[0]?.model.trim() ?? process.arch;
  return `${model}, V8 ${process.versions.v8}`;
}
