/**
 * Counts what a program asks of a WebGPU device, by wrapping the methods that every engine must call: the same few
 * lines for all engines, in Node and in a page. Source of the names: the WebGPU specification (w3.org/TR/webgpu).
 */

/** What one run asked of the device. */
export interface GpuCounts {
  /** Different compute pipelines that were dispatched. */
  readonly kernels: number;
  readonly dispatches: number;
  /** Calls of `queue.submit` that carried at least one command buffer. */
  readonly submits: number;
  /**
   * Bytes that dispatches moved: the size of every storage range a kernel reads, and of every one it writes (a range that
   * it reads and writes counts twice, one that it only binds not at all).
   */
  readonly bytes: number;
  /** Bytes copied between buffers or uploaded by `writeBuffer`. */
  readonly copied: number;
}

/** The wrapped methods of one host. */
export interface GpuCounter {
  /** What was asked since the last call. */
  take(): GpuCounts;
  /** Puts the methods back as they were, so that counting costs nothing while the clock runs. */
  remove(): void;
}

/** The classes of a host; `globalThis` in a page. */
export type GpuClasses = Readonly<
  Record<
    'GPUDevice' | 'GPUQueue' | 'GPUCommandEncoder' | 'GPUComputePassEncoder',
    { readonly prototype: object } // a constructor that nobody can call
  >
>;

/** One storage variable of a shader. */
interface Access {
  readonly group: number;
  readonly binding: number;
  readonly loads: boolean;
  readonly stores: boolean;
}

/** What is set on a pass. */
interface PassState {
  pipeline?: GPUComputePipeline;
  readonly groups: Map<number, GPUBindGroup>;
}

/** Wraps the methods. Call before the engine makes its device's shaders: those made earlier would not be known. */
export function countGpu(classes: GpuClasses): GpuCounter {
  const shaders = new WeakMap<GPUShaderModule, readonly Access[]>();
  const pipelines = new WeakMap<GPUComputePipeline, readonly Access[]>();
  const bindGroups = new WeakMap<GPUBindGroup, ReadonlyMap<number, number>>();
  const passes = new WeakMap<object, PassState>();
  const used = new Set<GPUComputePipeline>();
  const counts = { dispatches: 0, submits: 0, bytes: 0, copied: 0 };

  const undo: (() => void)[] = [];
  const wrap = <A extends unknown[], R>(
    name: keyof GpuClasses,
    method: string,
    seen: (self: object, args: A, result: R) => void,
  ) => {
    const prototype = classes[name].prototype as Record<string, (...args: A) => R>;
    const original = prototype[method];
    if (!original) throw new Error(`${name}.${method} is missing: this is no WebGPU`);
    prototype[method] = function (this: object, ...args: A) {
      const result = original.apply(this, args);
      seen(this, args, result);
      return result;
    };
    undo.push(() => (prototype[method] = original));
  };

  const remember = (descriptor: GPUComputePipelineDescriptor, pipeline: GPUComputePipeline) =>
    pipelines.set(pipeline, shaders.get(descriptor.compute.module) ?? []);
  wrap<[GPUShaderModuleDescriptor], GPUShaderModule>('GPUDevice', 'createShaderModule', (_, [{ code }], shader) =>
    shaders.set(shader, accesses(code)),
  );
  wrap<[GPUComputePipelineDescriptor], GPUComputePipeline>('GPUDevice', 'createComputePipeline', (_, [of], made) =>
    remember(of, made),
  );
  wrap<[GPUComputePipelineDescriptor], Promise<GPUComputePipeline>>(
    'GPUDevice',
    'createComputePipelineAsync',
    (_, [of], made) => void made.then((pipeline) => remember(of, pipeline), ignore), // its caller hears of the error
  );
  wrap<[GPUBindGroupDescriptor], GPUBindGroup>('GPUDevice', 'createBindGroup', (_, [{ entries }], group) =>
    bindGroups.set(group, new Map(Array.from(entries, ({ binding, resource }) => [binding, boundBytes(resource)]))),
  );

  const stateOf = (pass: object): PassState => {
    const state = passes.get(pass) ?? { groups: new Map<number, GPUBindGroup>() };
    passes.set(pass, state);
    return state;
  };
  wrap<[GPUComputePipeline], void>('GPUComputePassEncoder', 'setPipeline', (pass, [pipeline]) => {
    stateOf(pass).pipeline = pipeline;
  });
  wrap<[number, GPUBindGroup], void>('GPUComputePassEncoder', 'setBindGroup', (pass, [index, group]) => {
    stateOf(pass).groups.set(index, group);
  });
  const dispatched = (pass: object) => {
    const { pipeline, groups } = stateOf(pass);
    if (!pipeline) return;
    used.add(pipeline);
    counts.dispatches++;
    for (const { group, binding, loads, stores } of pipelines.get(pipeline) ?? []) {
      const bound = groups.get(group);
      const bytes = (bound && bindGroups.get(bound)?.get(binding)) ?? 0;
      counts.bytes += bytes * (Number(loads) + Number(stores));
    }
  };
  wrap('GPUComputePassEncoder', 'dispatchWorkgroups', dispatched);
  wrap('GPUComputePassEncoder', 'dispatchWorkgroupsIndirect', dispatched);

  wrap<[GPUCommandBuffer[]], void>('GPUQueue', 'submit', (_, [buffers]) => {
    if (buffers.length) counts.submits++;
  });
  wrap<[GPUBuffer, number, AllowSharedBufferSource, number?, number?], void>(
    'GPUQueue',
    'writeBuffer',
    (_, [, , data, offset = 0, size]) => {
      const unit = 'BYTES_PER_ELEMENT' in data ? Number(data.BYTES_PER_ELEMENT) : 1;
      counts.copied += size === undefined ? data.byteLength - offset * unit : size * unit;
    },
  );
  wrap<unknown[], void>('GPUCommandEncoder', 'copyBufferToBuffer', (_, args) => {
    // (from, to, size?) or (from, offset, to, offset, size?)
    const short = typeof args[1] !== 'number';
    const from = args[0] as GPUBuffer;
    const size = args[short ? 2 : 4] as number | undefined;
    counts.copied += size ?? from.size - (short ? 0 : (args[1] as number));
  });

  return {
    take() {
      const taken = { kernels: used.size, ...counts };
      used.clear();
      Object.assign(counts, { dispatches: 0, submits: 0, bytes: 0, copied: 0 });
      return taken;
    },
    remove: () => undo.forEach((step) => step()),
  };
}

/** Counts one run, then removes the counter. */
export async function countRun(counter: GpuCounter, run: () => Promise<unknown>): Promise<GpuCounts> {
  counter.take();
  await run();
  counter.remove();
  return counter.take();
}

function ignore(): void {}

function boundBytes(resource: GPUBindingResource): number {
  if ('buffer' in resource) return resource.size ?? resource.buffer.size - (resource.offset ?? 0);
  return 'size' in resource ? Number(resource.size) : 0; // a buffer itself; other resources store nothing
}

/** The storage variables of a WGSL text, and whether its functions load from and store to them. */
export function accesses(code: string): Access[] {
  const text = code.replace(/\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '');
  const declaration = /((?:@(?:group|binding)\s*\(\s*\d+\s*\)\s*){2})var\s*<\s*storage[^>]*>\s*(\w+)/g;
  return [...text.matchAll(declaration)].map(([, attributes = '', name = '']) => {
    const attribute = (key: string) => Number(new RegExp(`@${key}\\s*\\(\\s*(\\d+)`).exec(attributes)?.[1]);
    return { group: attribute('group'), binding: attribute('binding'), ...usesOf(text, name) };
  });
}

function usesOf(text: string, name: string): { loads: boolean; stores: boolean } {
  let [loads, stores] = [false, false];
  for (const { index } of text.matchAll(new RegExp(`(?<![\\w.])${name}\\b`, 'g'))) {
    const before = text.slice(Math.max(0, index - 40), index);
    const rest = text.slice(endOfPlace(text, index + name.length));
    if (/var\s*<[^>]*>\s*$/.test(before) || /(_\s*=|arrayLength\s*\()\s*&\s*$/.test(before)) continue; // not an access
    const atomic = /atomic(\w+)\s*\(\s*&\s*$/.exec(before)?.[1];
    const assigned = /^\s*(<<|>>|[-+*/%&|^])?=(?!=)/.exec(rest);
    const pointer = /&\s*$/.test(before) && !/&&\s*$/.test(before); // what is done through it is not followed
    loads ||= atomic ? atomic !== 'Store' : pointer || !assigned || assigned[1] !== undefined;
    stores ||= atomic ? atomic !== 'Load' : pointer || assigned !== null;
  }
  return { loads, stores };
}

/** Where `a[i].b[j]` ends that has been read up to the name. */
function endOfPlace(text: string, at: number): number {
  for (;;) {
    const member = /^\s*\.\s*\w+/.exec(text.slice(at, at + 64));
    if (member) at += member[0].length;
    else if (text[at] === '[') {
      let depth = 0;
      do {
        if (text[at] === '[') depth++;
        if (text[at] === ']') depth--;
        at++;
      } while (depth && at < text.length);
    } else return at;
  }
}
