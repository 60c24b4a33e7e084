/** Turns the blocks of a function into instructions: a value used more than once is kept in a local from its first use on. */
import type { ValueType } from './encode.ts';
import { signed, unsigned } from './encode.ts';
import type { Block, GridItem, LoopItem, Node } from './nodes.ts';
import { emptyBlock, op } from './opcodes.ts';

/** Counts how often each value is used; last to first, so that a value computed for nobody is seen and left out. */
function countUses(block: Block): void {
  const refer = (n: Node): void => {
    if (n.uses++ === 0) n.args.forEach(refer);
  };
  for (const item of block.items.toReversed()) {
    switch (item.k) {
      case 'eval':
      case 'fence':
        break;
      case 'set':
        refer(item.value);
        break;
      case 'store':
        refer(item.value);
        refer(item.address);
        break;
      case 'if':
        countUses(item.body);
        refer(item.when);
        break;
      case 'loop':
        countUses(item.body);
        refer(item.until);
        item.until.shared = true;
        if (item.from) refer(item.from);
        break;
      case 'grid':
        countUses(item.body);
        for (const n of [item.count, ...item.args]) {
          refer(n);
          n.shared = true;
        }
        break;
      default:
        item satisfies never;
    }
  }
}

/** The instructions of a function's outermost block, and the types of all its locals (`named` ones first). */
export function assemble(
  root: Block,
  named: readonly ValueType[],
): { readonly code: number[]; readonly locals: ValueType[] } {
  const code: number[] = [];
  const locals = [...named];
  const free: { [T in ValueType]: number[] } = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  const held = new Map<Block, Node[]>();
  let block = root;
  let fence = (): void => undefined;

  const write = (bytes: readonly number[]): void => {
    for (const b of bytes) code.push(b);
  };
  const local = (opcode: number, index: number): void => write([opcode, ...unsigned(index)]);

  function keep(n: Node): void {
    n.local = free[n.type].pop() ?? locals.push(n.type) - 1;
    const list = held.get(n.home);
    if (list) list.push(n);
    else held.set(n.home, [n]);
  }

  /** A local is free again after the last use in the block that computes it, else at the block's end. */
  function release(n: Node): void {
    if (n.local < 0) return;
    free[n.type].push(n.local);
    n.local = -1;
  }

  function compute(n: Node): void {
    if (n.home !== block) throw new Error('a value is used where it has not been computed');
    n.args.forEach(push);
    write(n.code);
  }

  function push(n: Node): void {
    n.uses--;
    if (n.trivial) write(n.code);
    else if (n.local >= 0) {
      local(op.localGet, n.local);
      if (n.uses === 0 && n.home === block) release(n);
    } else {
      compute(n);
      if (n.uses === 0) return;
      keep(n);
      local(op.localTee, n.local);
    }
  }

  /** Like `push`, for a value that is still needed. */
  function peek(n: Node): void {
    n.uses++;
    push(n);
  }

  function inside(inner: Block): void {
    block = inner;
    emit(inner);
    held.get(inner)?.forEach(release);
    block = inner.parent!;
  }

  /** The iterations from where the counter stands to `until`, at least one. */
  function iterate(body: Block, counter: number, step: number, until: () => void, moves: LoopItem['moves'] = []): void {
    write([op.loop, emptyBlock]);
    inside(body);
    for (const move of moves) {
      local(op.localGet, move.local);
      write([op.i32Const, ...signed(move.by), op.i32Add]);
      local(op.localSet, move.local);
    }
    local(op.localGet, counter);
    write([op.i32Const, ...signed(step), op.i32Add]);
    local(op.localTee, counter);
    until();
    write([op.i32LtS, op.brIf, 0, op.end]);
  }

  function loop(item: LoopItem): void {
    if (item.from) {
      push(item.from);
      local(op.localSet, item.counter);
    }
    const guarded = !item.certain;
    if (guarded) {
      local(op.localGet, item.counter);
      peek(item.until);
      write([op.i32LtS, op.if, emptyBlock]);
    }
    const fenced = item.body.items.some(({ k }) => k === 'fence');
    if (fenced) {
      write([op.block, emptyBlock]);
      fence = () => {
        local(op.localGet, item.counter);
        peek(item.until);
        write([op.i32Eq, op.brIf, 1]);
      };
    }
    iterate(item.body, item.counter, item.step, () => peek(item.until), item.moves);
    if (fenced) write([op.end]);
    if (guarded) write([op.end]);
    item.until.uses--;
  }

  function grid(item: GridItem): void {
    write([op.loop, emptyBlock]);
    item.args.forEach(peek);
    peek(item.count);
    write([op.call, ...unsigned(item.take)]);
    local(op.localSet, item.end);
    local(op.localTee, item.counter);
    peek(item.count);
    write([op.i32LtS, op.if, emptyBlock]);
    fence = () => undefined;
    iterate(item.body, item.counter, 1, () => local(op.localGet, item.end));
    write([op.br, 1, op.end, op.end]);
  }

  function emit(b: Block): void {
    for (const item of b.items) {
      switch (item.k) {
        case 'eval':
          if (item.value.uses === 0 || item.value.local >= 0) break;
          compute(item.value);
          keep(item.value);
          local(op.localSet, item.value.local);
          break;
        case 'fence':
          fence();
          break;
        case 'set':
          push(item.value);
          local(op.localSet, item.local);
          break;
        case 'store':
          push(item.address);
          push(item.value);
          write(item.code);
          break;
        case 'if':
          push(item.when);
          write([op.if, emptyBlock]);
          inside(item.body);
          write([op.end]);
          break;
        case 'loop':
          loop(item);
          break;
        case 'grid':
          grid(item);
          break;
        default:
          item satisfies never;
      }
    }
  }

  countUses(root);
  emit(root);
  return { code, locals };
}
