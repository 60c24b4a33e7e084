/**
 * Expressions of the loop language as values: scalar, for one lane of a vector loop, or for all four lanes at once.
 * Neighbouring elements are loaded as one vector, equal ones once, others lane by lane.
 */
import type { LoadExpr, LoopExpr } from '@sinter/compiler';
import { dtypeBytes, isFloat } from '@sinter/ir';
import { fromHalf, fromHalves, isHalf } from './half.ts';
import type { Linear } from './linear.ts';
import { address, atom, fixed, isFixed, plus, sumTerms } from './linear.ts';
import type { Form, Memory, Place, Registers, VectorLoop } from './names.ts';
import type { Block, Builder, Node } from './nodes.ts';
import { op as o, vop as v } from './opcodes.ts';
import { constantNode, scalarNode } from './scalar.ts';
import type { Operand, VectorContext } from './simd.ts';
import { constantVector, extractLane, fromLanes, lanes, replaceLane, splat, vectorNode, widenBytes } from './simd.ts';

/** Which iteration of the vector loop around an expression is meant: a lane, or none where there is no such loop. */
type Lane = number | undefined;

/** The names in sight, and how to refuse what cannot be written. */
export interface Names {
  readonly b: Builder;
  readonly values: Map<string, Node>;
  /** Sums that indices use instead of the value: their outer parts can be computed further out. */ readonly forms: Map<
    string,
    Form
  >;
  readonly places: Map<string, Place>;
  /** Values that are known not to be negative: loop counters and sizes. */ readonly natural: WeakSet<Node>;
  /** Loads that were also made as a load into all lanes, which is cheaper than a copy. */ readonly splats: Map<
    Node,
    Node
  >;
  vectorLoop: VectorLoop | undefined;
  fail(problem: string): never;
}

/** Lowers expressions. Results are remembered until `reset`, which every instruction with a side effect calls. */
export type Expressions = ReturnType<typeof expressions>;

/** The lowering of expressions over names. */
export function expressions(names: Names, vectors: VectorContext) {
  const { b } = names;
  const scalars = new Map<Lane, Map<LoopExpr, Node>>();
  const wide = new Map<LoopExpr, Node>();

  const isNatural = (n: Node): boolean => names.natural.has(n);

  /** Whether an expression differs between the lanes of the vector loop around. */
  function varies(x: LoopExpr): boolean {
    const loop = names.vectorLoop;
    if (!loop) return false;
    const known = loop.varies.get(x);
    if (known !== undefined) return known;
    let out = false;
    if (x.k === 'var') out = x.name === loop.counter || loop.lets.has(x.name);
    else if (x.k === 'load') out = varies(x.at);
    else if (x.k === 'op') out = x.args.some(varies);
    loop.varies.set(x, out);
    return out;
  }

  /** The sum behind an integer `let`; its terms are computed now. */
  function keepForm(name: string, x: LoopExpr): void {
    const sum = x.dtype === 'i32' ? form(x, undefined) : undefined;
    if (!sum) return;
    for (const n of sum.terms.keys()) b.evaluate(n);
    names.forms.set(name, { sum, block: loopAround(b.block) });
  }

  const place = (name: string): Place => names.places.get(name) ?? names.fail(`nothing is called '${name}'`);

  // ---- linear forms of indices
  /** An index in one lane. */
  function linear(x: LoopExpr, lane: Lane): Linear {
    return form(x, lane) ?? atom(scalar(x, lane));
  }
  /** An index in all lanes, if it is linear in the counter. */
  function linearInLanes(x: LoopExpr): Linear | undefined {
    return form(x, 'all');
  }

  function form(x: LoopExpr, lane: Lane | 'all'): Linear | undefined {
    if (!varies(x)) lane = undefined;
    if (x.k === 'const') return fixed(x.value);
    if (x.k === 'var') {
      const loop = names.vectorLoop;
      if (lane !== undefined && loop?.counter === x.name)
        return plus(atom(loop.first), lane === 'all' ? fixed(0, 1) : fixed(lane));
      const varying = lane === undefined ? undefined : loop?.lets.get(x.name);
      if (varying && !varying.loads) return form(varying.value, lane);
      const known = names.forms.get(x.name);
      if (known?.block === loopAround(b.block) && ![...known.sum.terms.keys()].some((n) => n.stale)) return known.sum;
    }
    if (x.k === 'op' && x.dtype === 'i32') {
      const [p, q] = x.args as [LoopExpr, LoopExpr];
      switch (x.op) {
        case 'add':
        case 'sub': {
          const [m, n] = [form(p, lane), form(q, lane)];
          return m && n && plus(m, n, x.op === 'add' ? 1 : -1);
        }
        case 'neg': {
          const m = form(p, lane);
          return m && plus(fixed(0), m, -1);
        }
        case 'mul': {
          const [m, n] = [form(p, lane), form(q, lane)];
          if (!m || !n) return undefined;
          if (isFixed(n)) return n.offset === 0 ? fixed(0) : plus(fixed(0), m, n.offset);
          if (isFixed(m)) return m.offset === 0 ? fixed(0) : plus(fixed(0), n, m.offset);
          break;
        }
        default:
      }
    }
    return lane === 'all' ? undefined : atom(scalar(x, lane));
  }

  /** The address of element `at` of memory. */
  function addressOf(memory: Memory, index: Linear): { readonly address: Node; readonly offset: number } {
    return address(b, memory.base, memory.offset, index, dtypeBytes[memory.dtype], isNatural);
  }

  function elementOf(registers: Registers, index: Linear): number {
    const limit = registers.locals.length * (registers.wide ? lanes : 1);
    if (index.terms.size > 0 || index.offset < 0 || index.offset >= limit) {
      names.fail(`an index of the register array '${registers.name}' is not a constant within its length`);
    }
    return index.offset;
  }

  // ---- scalars
  function scalarLoad(x: LoadExpr, lane: Lane): Node {
    const from = place(x.from);
    const index = linear(x.at, lane);
    if (from.k === 'memory') {
      const at = addressOf(from, index);
      const state = `${from.id}@${from.version}`;
      if (isHalf(from.dtype))
        return fromHalf(b, b.load(o.i32Load16S, 'i32', [at.address], 1, at.offset, state), from.dtype);
      if (isFloat(from.dtype)) return b.load(o.f32Load, 'f32', [at.address], 2, at.offset, state);
      const opcode = dtypeBytes[from.dtype] === 4 ? o.i32Load : from.dtype === 'i8' ? o.i32Load8S : o.i32Load8U;
      return b.load(opcode, 'i32', [at.address], opcode === o.i32Load ? 2 : 0, at.offset, state);
    }
    const element = elementOf(from, index);
    if (!from.wide) return from.current[element]!;
    return extractLane(b, from.current[Math.floor(element / lanes)]!, element % lanes, from.dtype);
  }

  function compute(x: LoopExpr, lane: Lane): Node {
    switch (x.k) {
      case 'const':
        return constantNode(b, x.value, x.dtype);
      case 'var': {
        const loop = names.vectorLoop;
        if (lane !== undefined && loop) {
          if (loop.counter === x.name) return sumOf(plus(atom(loop.first), fixed(lane)));
          const varying = loop.lets.get(x.name);
          if (varying)
            return varying.loads ? extractLane(b, varying.vector, lane, x.dtype) : scalar(varying.value, lane);
        }
        return names.values.get(x.name) ?? names.fail(`nothing is called '${x.name}'`);
      }
      case 'load':
        return scalarLoad(x, lane);
      case 'op': {
        const [p] = x.args as [LoopExpr];
        return scalarNode(
          b,
          x.op,
          x.op === 'select' ? x.args[1]!.dtype : p.dtype,
          x.dtype,
          x.args.map((a) => scalar(a, lane)),
          vectors.helper,
        );
      }
      default:
        return x satisfies never;
    }
  }

  const sumOf = (x: Linear): Node => {
    const sum = sumTerms(b, b.i32(0), x, 1);
    return sum.constant === undefined
      ? scalarNode(b, 'add', 'i32', 'i32', [sum, b.i32(x.offset)], vectors.helper)
      : b.i32(sum.constant + x.offset);
  };

  /** An expression as a scalar, in one lane of the vector loop around. */
  function scalar(x: LoopExpr, lane?: Lane): Node {
    if (!varies(x)) lane = undefined;
    let memo = scalars.get(lane);
    if (!memo) scalars.set(lane, (memo = new Map()));
    const known = memo.get(x);
    if (known) return known;
    const out = compute(x, lane);
    memo.set(x, out);
    return out;
  }

  // ---- vectors
  const eachLane = (f: (lane: number) => Node): Node[] => Array.from({ length: lanes }, (_, lane) => f(lane));

  /** A load of one element into all lanes, where there is such an instruction. */
  function splatLoad(x: LoadExpr): Node | undefined {
    const from = place(x.from);
    if (from.k !== 'memory' || dtypeBytes[from.dtype] !== 4) return undefined;
    const at = addressOf(from, linear(x.at, undefined));
    return b.load(v.load32Splat, 'v128', [at.address], 2, at.offset, `${from.id}@${from.version}`);
  }

  function uniform(x: LoopExpr): Node {
    const loaded = x.k === 'load' ? splatLoad(x) : undefined;
    if (loaded) return loaded;
    const n = scalar(x);
    return names.splats.get(n) ?? splat(b, n, x.dtype);
  }

  function vectorLoad(x: LoadExpr): Node {
    const from = place(x.from);
    const index = linearInLanes(x.at);
    if (from.k === 'registers') {
      const element = index?.stride === 1 ? elementOf(from, { ...index, stride: 0 }) : -1;
      if (from.wide && element >= 0 && element % lanes === 0) return from.current[element / lanes]!;
      return fromLanes(
        b,
        eachLane((lane) => scalar(x, lane)),
        x.dtype,
      );
    }
    const bytes = dtypeBytes[from.dtype];
    const state = `${from.id}@${from.version}`;
    if (index?.stride === 1) {
      const at = addressOf(from, index);
      if (bytes === 4) return b.load(v.load, 'v128', [at.address], 2, at.offset, state);
      if (isHalf(from.dtype))
        return fromHalves(b, b.load(v.load16x4S, 'v128', [at.address], 1, at.offset, state), from.dtype);
      return widenBytes(b, b.load(v.load32Zero, 'v128', [at.address], 0, at.offset, state), from.dtype);
    }
    if (bytes !== 4)
      return fromLanes(
        b,
        eachLane((lane) => scalar(x, lane)),
        x.dtype,
      );
    const ats = Array.from({ length: lanes }, (_, lane) => addressOf(from, linear(x.at, lane)));
    const first = b.load(v.load32Zero, 'v128', [ats[0]!.address], 2, ats[0]!.offset, state);
    return ats
      .slice(1)
      .reduce((sum, at, i) => b.load(v.load32Lane, 'v128', [at.address, sum], 2, at.offset, state, [i + 1]), first);
  }

  function computeVector(x: LoopExpr): Node {
    if (!varies(x)) return uniform(x);
    switch (x.k) {
      case 'var': {
        const loop = names.vectorLoop!;
        const varying = loop.lets.get(x.name);
        if (varying) return varying.vector;
        const steps = [0, 1, 2, 3];
        const { constant } = loop.first;
        if (constant !== undefined)
          return constantVector(
            b,
            steps.map((i) => constant + i),
            'i32',
          );
        return b.pure(v.i32x4Add, 'v128', [splat(b, loop.first, 'i32'), constantVector(b, steps, 'i32')]);
      }
      case 'load':
        return vectorLoad(x);
      case 'op': {
        const operands = x.args.map((a): Operand => ({
          vector: () => vector(a),
          scalar: varies(a) ? undefined : scalarIfCheap(a, x.op),
        }));
        return vectorNode(vectors, x.op, x.op === 'select' ? x.args[1]!.dtype : x.args[0]!.dtype, x.dtype, operands);
      }
      default:
        return names.fail(`a constant cannot differ between lanes`);
    }
  }

  /** The scalar of an operand that is equal in all lanes, for the ops that look at it. */
  function scalarIfCheap(x: LoopExpr, op: string): Node | undefined {
    return x.k === 'const' || op === 'shl' || op === 'shr' || op === 'div' || op === 'mod' ? scalar(x) : undefined;
  }

  /** An expression in four lanes. */
  function vector(x: LoopExpr): Node {
    const known = wide.get(x);
    if (known) return known;
    const out = computeVector(x);
    wide.set(x, out);
    return out;
  }

  return {
    scalar,
    vector,
    varies,
    splatLoad,
    keepForm,
    linear,
    linearInLanes,
    addressOf,
    elementOf,
    place,
    /** Forgets the values of expressions. */
    reset(): void {
      scalars.clear();
      wide.clear();
    },
    /** The registers of a store into one lane of a vector. */
    withLane: (registers: Registers, element: number, value: Node): Node =>
      replaceLane(b, registers.current[Math.floor(element / lanes)]!, element % lanes, value, registers.dtype),
  };
}

/** The body of the innermost loop around a block. */
function loopAround(block: Block): Block {
  let b = block;
  while (b.kind === 'if' && b.parent) b = b.parent;
  return b;
}
