/**
 * The values of a function as a graph in which equal values are one node (value numbering), and the blocks of
 * instructions in which they are computed. Pure values move out of loops that do not change them; loads never move.
 */
import type { ValueType } from './encode.ts';
import { f32Bytes, instruction, memarg, signed, unsigned } from './encode.ts';
import { op, vop } from './opcodes.ts';

/** A value: an instruction and the values that it takes from the stack. */
export interface Node {
  readonly id: number;
  readonly op: number;
  readonly type: ValueType;
  readonly args: readonly Node[];
  /** The instruction's bytes. */ readonly code: readonly number[];
  /** The number that a scalar constant stands for. */ readonly constant?: number;
  /** Cheaper to write again than to keep: constants and locals. */ readonly trivial: boolean;
  /** A local that a later instruction may overwrite. */ readonly mutable: boolean;
  /** The block in which it is computed. */ readonly home: Block;
  /** A local that has been overwritten since. */ stale: boolean;
  // What the assembler notes:
  uses: number;
  shared: boolean;
  local: number;
}

/** Instructions that run one after the other. A node of a block is visible in the blocks inside of it. */
export interface Block {
  readonly parent: Block | undefined;
  readonly depth: number;
  readonly kind: 'function' | 'loop' | 'if';
  /** Loops that stand directly inside. */ readonly loops: number;
  readonly items: Item[];
  readonly table: Map<string, Node>;
}

/** What a block does, in order. `eval` computes a value now that is used later. */
export type Item =
  | { readonly k: 'eval'; readonly value: Node }
  | { readonly k: 'set'; readonly local: number; readonly value: Node }
  | { readonly k: 'store'; readonly code: readonly number[]; readonly address: Node; readonly value: Node }
  | LoopItem
  | FenceItem
  | GridItem
  | { readonly k: 'if'; readonly when: Node; readonly body: Block };

/** Counts a local up to `until` in steps; it starts at `from`, or where it stands. `certain`: at least one iteration. */
export interface LoopItem {
  readonly k: 'loop';
  readonly counter: number;
  readonly from: Node | undefined;
  readonly until: Node;
  readonly step: number;
  readonly certain: boolean;
  readonly body: Block;
  /** Locals to which every iteration adds a number. */
  readonly moves?: readonly { readonly local: number; readonly by: number }[];
}
/**
 * Directly in a loop: what stands before it is done before what stands after it. It is an exit that is never taken. V8 up to version 11
 * computes pure values as late as it can, which is the end of the block: all operands of an unrolled product would be in registers at
 * once. An exit ends the block, and what it carries out of the loop must be there.
 */
export interface FenceItem {
  readonly k: 'fence';
}
/** Takes chunks of the iterations 0 … `count` − 1: `take(…args, count)` gives the first of a chunk, from `count` on if there is none, and the end. */
export interface GridItem {
  readonly k: 'grid';
  readonly counter: number;
  readonly end: number;
  readonly take: number;
  readonly args: readonly Node[];
  readonly count: Node;
  readonly body: Block;
}

/** Makes nodes and items in the current block. */
export type Builder = ReturnType<typeof nodeBuilder>;

/** A builder for one function, whose parameters are its first locals. */
export function nodeBuilder(params: readonly ValueType[]) {
  const root: Block = { parent: undefined, depth: 0, kind: 'function', loops: 0, items: [], table: new Map() };
  const locals: ValueType[] = [...params];
  let block = root;
  let count = 0;

  function make(
    part: Pick<Node, 'op' | 'type' | 'args' | 'code' | 'home'> & {
      constant?: number;
      trivial?: boolean;
      mutable?: boolean;
    },
  ): Node {
    return { trivial: false, mutable: false, stale: false, uses: 0, shared: false, local: -1, id: count++, ...part };
  }

  /**
   * The block where a pure value whose operands are known in `known` is computed: out of the innermost loop, and
   * further out while the loop around holds nothing but that loop (so that values do not stay alive across another one).
   */
  function homeOf(known: Block): Block {
    let home = block;
    let crossed = 0;
    for (let b = block; b !== known && b.parent; b = b.parent) {
      if (b.kind !== 'loop') continue;
      if (crossed++ > 0 && b.loops > 1) break;
      home = b.parent;
    }
    return home;
  }

  /** Makes sure that a value is at hand in blocks inside its home. */
  function place(n: Node, user: Block): void {
    if (n.home === user || n.trivial || n.shared) return;
    n.shared = true;
    n.home.items.push({ k: 'eval', value: n });
  }

  function intern(key: string, home: () => Block, part: Pick<Node, 'op' | 'type' | 'args' | 'code'>): Node {
    for (let b: Block | undefined = block; b; b = b.parent) {
      const known = b.table.get(key);
      if (known) return known;
    }
    const made = make({ ...part, home: home() });
    for (const a of made.args) place(a, made.home);
    made.home.table.set(key, made);
    return made;
  }

  const keyOf = (opcode: number, args: readonly Node[], immediates: readonly number[], state: string): string =>
    `${opcode}:${args.map((a) => a.id).join()}:${immediates.join()}:${state}`;
  const deepest = (args: readonly Node[]): Block => args.reduce((b, a) => (a.home.depth > b.depth ? a.home : b), root);

  /** A value that depends on nothing but its operands. */
  function pure(opcode: number, type: ValueType, args: readonly Node[], immediates: readonly number[] = []): Node {
    return intern(keyOf(opcode, args, immediates, ''), () => homeOf(deepest(args)), {
      op: opcode,
      type,
      args,
      code: instruction(opcode, immediates),
    });
  }

  const smallConstants = new Map<string, Node>();
  function scalarConstant(type: 'i32' | 'f32', value: number): Node {
    const key = `${type}${Object.is(value, -0) ? '-0' : value}`;
    let known = smallConstants.get(key);
    if (!known) {
      const opcode = type === 'i32' ? op.i32Const : op.f32Const;
      known = make({
        op: opcode,
        type,
        args: [],
        code: [opcode, ...(type === 'i32' ? signed(value) : f32Bytes(value))],
        constant: value,
        trivial: true,
        home: root,
      });
      smallConstants.set(key, known);
    }
    return known;
  }

  return {
    /** The outermost block. */ root,
    /** The types of the named locals, parameters first. */ locals,
    /** The block that is being filled. */ get block(): Block {
      return block;
    },
    /** An `i32` constant (its 32 bits: also for `u32` and `bool`). */
    i32: (value: number): Node => scalarConstant('i32', value | 0),
    /** An `f32` constant. */
    f32: (value: number): Node => scalarConstant('f32', Math.fround(value)),
    /** A vector constant of 16 bytes. */
    v128: (bytes: readonly number[]): Node => pure(vop.const, 'v128', [], bytes),
    pure,
    /** A load. Two are the same only in one `state` of the memory. */
    load(
      opcode: number,
      type: ValueType,
      args: readonly Node[],
      align: number,
      offset: number,
      state: string,
      lane: readonly number[] = [],
    ): Node {
      const immediates = [...memarg(align, offset), ...lane];
      return intern(keyOf(opcode, args, immediates, state), () => block, {
        op: opcode,
        type,
        args,
        code: instruction(opcode, immediates),
      });
    },
    /** A new local. */
    local: (type: ValueType): number => locals.push(type) - 1,
    /** What a local holds from here on; `mutable` when it will be set again within the block. */
    get: (local: number, mutable = false): Node =>
      make({
        op: op.localGet,
        type: locals[local]!,
        args: [],
        code: instruction(op.localGet, unsigned(local)),
        trivial: true,
        mutable,
        home: block,
      }),
    /** Computes a value here (or further out) that later instructions use. */
    evaluate(n: Node): void {
      if (n.trivial || n.shared) return;
      n.shared = true;
      n.home.items.push({ k: 'eval', value: n });
    },
    /** Sets a local. */
    set(local: number, value: Node): void {
      place(value, block);
      block.items.push({ k: 'set', local, value });
    },
    /** Writes to memory. */
    store(
      opcode: number,
      address: Node,
      value: Node,
      align: number,
      offset: number,
      lane: readonly number[] = [],
    ): void {
      place(address, block);
      place(value, block);
      block.items.push({ k: 'store', code: instruction(opcode, [...memarg(align, offset), ...lane]), address, value });
    },
    /** Adds an item whose operands are computed in this block. */
    add(item: Item, operands: readonly Node[]): void {
      for (const n of operands) place(n, block);
      block.items.push(item);
    },
    /** Fills a block inside of this one. */
    inside(kind: 'loop' | 'if', loops: number, fill: () => void): Block {
      const inner: Block = { parent: block, depth: block.depth + 1, kind, loops, items: [], table: new Map() };
      block = inner;
      fill();
      block = inner.parent!;
      return inner;
    },
  };
}
