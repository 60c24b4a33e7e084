/**
 * Addresses that move with the counter of an innermost loop become locals that every iteration moves on (strength reduction), so that
 * a load costs no arithmetic and no register but that of its pointer.
 */
import type { ValueType } from './encode.ts';
import { unsigned } from './encode.ts';
import type { Block, Item, LoopItem, Node } from './nodes.ts';
import { op } from './opcodes.ts';

/** More pointers than this do not fit into the registers of a common machine. */
const most = 8;

/** Changes all innermost loops that only read memory, in the blocks of a function whose named locals are `locals`. */
export function movePointers(root: Block, locals: ValueType[]): void {
  const items = root.items.flatMap((item): Item[] => {
    if (item.k === 'if' || item.k === 'grid' || item.k === 'loop') movePointers(item.body, locals);
    if (item.k !== 'loop' || item.from?.constant !== 0 || !onlyReads(item.body)) return [item];
    const found = pointersOf(item);
    if (found.size === 0 || found.size > most) return [item];
    const starts: Item[] = [];
    const moves = [...found].map(([address, by]) => {
      const local = locals.push('i32') - 1;
      starts.push({ k: 'set', local, value: address.args[0]! });
      Object.assign(address, { op: op.localGet, args: [], code: [op.localGet, ...unsigned(local)], trivial: true });
      return { local, by: by * item.step };
    });
    const own = item.body.items.filter((inner) => !(inner.k === 'eval' && found.has(inner.value)));
    item.body.items.splice(0, Infinity, ...own);
    return [...starts, { ...item, moves }];
  });
  root.items.splice(0, Infinity, ...items);
}

function onlyReads({ items }: Block): boolean {
  return items.every(({ k }) => k === 'eval' || k === 'set' || k === 'fence');
}

/** The sums of something from outside of a loop and a multiple of its counter, with the multiple. */
function pointersOf({ body, counter }: LoopItem): Map<Node, number> {
  const found = new Map<Node, number>();
  const seen = new Set<Node>();
  const visit = (n: Node): void => {
    if (n.home !== body || seen.has(n)) return;
    seen.add(n);
    const [outer, moving] = n.args;
    const by = n.op === op.i32Add ? multiple(moving!, counter) : undefined;
    if (by !== undefined && outer!.home !== body && !outer!.mutable) found.set(n, by);
    else n.args.forEach(visit);
  };
  for (const item of body.items) if (item.k === 'eval' || item.k === 'set') visit(item.value);
  return found;
}

/** `f` where a value is `f` times a local. */
function multiple(n: Node, local: number): number | undefined {
  const [value, factor] = n.args;
  if (n.op === op.localGet) return n.code.join() === [op.localGet, ...unsigned(local)].join() ? 1 : undefined;
  if (factor?.constant === undefined || multiple(value!, local) !== 1) return undefined;
  if (n.op === op.i32Shl) return 2 ** factor.constant;
  return n.op === op.i32Mul ? factor.constant : undefined;
}
