/**
 * Reads pickles without running anything: a pickle is a program for a stack machine, and this machine knows plain data and the few
 * Python objects that the caller names. Source: `pickletools` of Python's standard library. Protocols 2 to 5.
 */

/** A Python object that a pickle names, such as `collections.OrderedDict`. */
export interface PickleGlobal {
  /** Module and name. */
  readonly global: string;
  /** What it makes of arguments; nothing for one that is only named. */
  readonly call?: (...args: readonly PickleValue[]) => PickleValue;
}

/** What a pickle can hold here: plain data, and what the caller makes of its objects. Tuples and lists are arrays. */
export type PickleValue =
  null | boolean | number | bigint | string | Uint8Array | PickleValue[] | Map<PickleValue, PickleValue> | object;

/** How names and places outside of a pickle are looked up. */
export interface PickleOptions {
  /** The object that a pickle names: it must throw for those that are not known. */
  readonly global: (name: string) => PickleGlobal;
  /** What a persistent id stands for. */
  readonly persistent: (id: PickleValue) => PickleValue;
}

/** A pickle that is damaged, or does what this machine does not. */
export class PickleError extends Error {
  override readonly name: string = 'PickleError';
}

/** The value of a pickle. @throws PickleError, and what the caller's functions throw */
export function readPickle(bytes: Uint8Array, { global, persistent }: PickleOptions): PickleValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder();
  const stack: PickleValue[] = [];
  const marks: number[] = [];
  const memo = new Map<number, PickleValue>();
  let at = 0;

  const take = (count: number): number => {
    if (!(count <= bytes.length - at)) throw new PickleError(`it ends in the middle, at byte ${bytes.length}`);
    at += count;
    return at - count;
  };
  const u8 = () => view.getUint8(take(1));
  const u16 = () => view.getUint16(take(2), true);
  const u32 = () => view.getUint32(take(4), true);
  const u64 = () => Number(view.getBigUint64(take(8), true));
  const raw = (count: number) => bytes.slice(take(count), at);
  const text = (count: number) => utf8.decode(raw(count));
  const line = () => {
    const end = bytes.indexOf(10, at);
    if (end < 0) throw new PickleError('a name in it does not end');
    return text(end + 1 - at).slice(0, -1);
  };
  const long = (count: number): PickleValue => {
    if (count > 16) throw new PickleError(`it has a whole number of ${count} bytes`);
    let value = 0n;
    raw(count).forEach((byte, i) => (value |= BigInt(byte) << BigInt(8 * i)));
    value = BigInt.asIntN(8 * count, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  };
  const pop = (): PickleValue => {
    if (stack.length <= (marks.at(-1) ?? 0)) throw new PickleError(`it takes more than there is, at byte ${at}`);
    return stack.pop()!;
  };
  const top = (): PickleValue => {
    const value = pop();
    stack.push(value);
    return value;
  };
  const popMark = (): PickleValue[] => {
    const mark = marks.pop();
    if (mark === undefined) throw new PickleError(`it takes more than there is, at byte ${at}`);
    return stack.splice(mark);
  };
  const tuple = (count: number) => void stack.push(Array.from({ length: count }, pop).reverse());
  const append = (items: PickleValue[]) => {
    const list = top();
    if (!Array.isArray(list)) throw new PickleError(`it appends to what is no list, at byte ${at}`);
    for (const item of items) list.push(item);
  };
  const setItems = (items: PickleValue[]) => {
    const dict = top();
    if (!(dict instanceof Map)) throw new PickleError(`it sets items of what is no dictionary, at byte ${at}`);
    for (let i = 0; i + 1 < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
  };
  const recall = (key: number) => {
    const value = memo.get(key);
    if (value === undefined) throw new PickleError(`it recalls what it never kept, at byte ${at}`);
    stack.push(value);
  };

  // prettier-ignore
  const operations: Readonly<Record<string, () => void>> = {
    '(': () => void marks.push(stack.length),
    '0': () => void pop(),
    '1': () => void popMark(),
    '2': () => void stack.push(top()),
    'N': () => void stack.push(null),
    '\x88': () => void stack.push(true),
    '\x89': () => void stack.push(false),
    'J': () => void stack.push(view.getInt32(take(4), true)),
    'K': () => void stack.push(u8()),
    'M': () => void stack.push(u16()),
    '\x8a': () => void stack.push(long(u8())),
    '\x8b': () => void stack.push(long(u32())),
    'G': () => void stack.push(view.getFloat64(take(8), false)),
    'X': () => void stack.push(text(u32())),
    '\x8c': () => void stack.push(text(u8())),
    '\x8d': () => void stack.push(text(u64())),
    'T': () => void stack.push(raw(u32())),
    'U': () => void stack.push(raw(u8())),
    'B': () => void stack.push(raw(u32())),
    'C': () => void stack.push(raw(u8())),
    '\x8e': () => void stack.push(raw(u64())),
    ')': () => void stack.push([]),
    't': () => void stack.push(popMark()),
    '\x85': () => tuple(1),
    '\x86': () => tuple(2),
    '\x87': () => tuple(3),
    ']': () => void stack.push([]),
    'l': () => void stack.push(popMark()),
    'a': () => append([pop()]),
    'e': () => append(popMark()),
    '}': () => void stack.push(new Map()),
    's': () => setItems([pop(), pop()].reverse()),
    'u': () => setItems(popMark()),
    'q': () => void memo.set(u8(), top()),
    'r': () => void memo.set(u32(), top()),
    '\x94': () => void memo.set(memo.size, top()),
    'h': () => recall(u8()),
    'j': () => recall(u32()),
    '\x80': () => void u8(),
    '\x95': () => void take(8),
    'c': () => void stack.push(global(`${line()}.${line()}`)),
    '\x93': () => {
      const [name, module] = [pop(), pop()];
      stack.push(global(`${String(module)}.${String(name)}`));
    },
    'i': () => {
      throw new PickleError(`it calls ${global(`${line()}.${line()}`).global} in a way of old`);
    },
    'Q': () => void stack.push(persistent(pop())),
    'R': () => {
      const [args, callee] = [pop(), pop()];
      const { call, global: name } = (callee ?? {}) as Partial<PickleGlobal>;
      if (!call || !Array.isArray(args)) throw new PickleError(`it calls ${name ?? 'what is no function'}`);
      stack.push(call(...args));
    },
    // The attributes of a dictionary, such as the versions that PyTorch notes down, are no weights.
    'b': () => {
      pop();
      if (!(top() instanceof Map)) throw new PickleError(`it sets the state of an object, at byte ${at}`);
    },
  };

  for (;;) {
    const code = String.fromCharCode(u8());
    if (code === '.') return pop();
    const operation = operations[code];
    if (!operation)
      throw new PickleError(
        `it has the operation ${JSON.stringify(code)} at byte ${at - 1}, which weights do not need`,
      );
    operation();
  }
}
