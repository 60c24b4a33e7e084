/** Statements of the loop language as items of blocks, with SIMD in `vector` loops. */
import type { AllocStmt, ForStmt, LetStmt, LoopExpr, Stmt, StoreStmt } from '@sinter/compiler';
import type { DType } from '@sinter/ir';
import { dtypeBytes, isFloat } from '@sinter/ir';
import { unsigned } from './encode.ts';
import type { Expressions, Names } from './expressions.ts';
import { isHalf, rounded, toHalf, toHalves } from './half.ts';
import type { Memory, Place, Registers } from './names.ts';
import {
  dependsOnLoads,
  eachLoad,
  expandedLanes,
  forget,
  isExpanded,
  loopsIn,
  renew,
  touchesInLanes,
  usedInLanes,
  written,
} from './names.ts';
import type { Node } from './nodes.ts';
import { op as o, vop as v } from './opcodes.ts';
import { extractLane, lanes, narrowToBytes, narrowToHalves } from './simd.ts';

/** Private arrays in memory begin at multiples of this many bytes. */
const scratchAlign = 64;

/** The number of the function that hands out iterations of a grid loop, and what it is told besides their count. */
export interface Tickets {
  readonly take: number;
  readonly args: readonly Node[];
}

/** With so many accumulators the operands of a product must not all be in registers too. */
const manyAccumulators = 10;

/** Emits statements into the builder of `names`; private arrays begin at the global `scratch`. */
export function statements(names: Names, x: Expressions, scratch: number) {
  const { b } = names;
  let scratchTop = 0;
  let allocated = 0;
  let scratchPeak = 0;

  /** Runs `body` and then takes back the names that it has added. */
  function scoped(body: () => void): void {
    const [values, places, forms, top] = [
      new Map(names.values),
      new Map(names.places),
      new Map(names.forms),
      scratchTop,
    ];
    body();
    restore(names.values, values);
    restore(names.places, places);
    restore(names.forms, forms);
    scratchTop = top;
    x.reset();
  }

  const forgetAll = (changed: ReadonlySet<string>): void => {
    for (const name of changed) {
      const place = names.places.get(name);
      if (place) forget(b, place);
    }
  };

  /** A block of instructions that may run any number of times. */
  function inside(kind: 'loop' | 'if', body: readonly Stmt[], fill: () => void) {
    const changed = written(body);
    x.reset();
    const block = b.inside(kind, loopsIn(body), () => {
      if (kind === 'loop') forgetAll(changed);
      scoped(fill);
    });
    forgetAll(changed);
    return block;
  }

  function block(body: readonly Stmt[], grid?: Tickets): void {
    const fenced = b.block.kind === 'loop' && b.block.loops === 0 && accumulatorsIn(body) >= manyAccumulators;
    body.forEach((s, i) => {
      statement(s, body.slice(i + 1), grid);
      if (fenced && s.k === 'for' && i < body.length - 1) b.add({ k: 'fence' }, []);
    });
  }

  /** Vector registers that statements write. */
  function accumulatorsIn(body: readonly Stmt[]): number {
    const places = [...written(body)].map((name) => names.places.get(name));
    return places.reduce((sum, p) => sum + (p?.k === 'registers' && p.wide ? p.locals.length : 0), 0);
  }

  function statement(s: Stmt, rest: readonly Stmt[], grid?: Tickets): void {
    if (grid && s.k !== 'let' && s.k !== 'alloc' && !(s.k === 'for' && s.kind === 'grid')) {
      names.fail(`'${s.k}' stands beside a grid loop; only lets may`);
    }
    switch (s.k) {
      case 'let':
        scalarLet(s);
        break;
      case 'alloc':
        names.places.set(s.name, allocate(s, rest));
        break;
      case 'store':
        storeScalar(s);
        break;
      case 'if': {
        const when = x.scalar(s.when);
        if (when.constant !== undefined) {
          if (when.constant !== 0)
            scoped(() => {
              block(s.body);
            });
          return;
        }
        const body = inside('if', s.body, () => {
          block(s.body);
        });
        b.add({ k: 'if', when, body }, [when]);
        break;
      }
      case 'for':
        loop(s, grid);
        break;
      case 'barrier':
        names.fail('a CPU kernel has no barrier');
      // falls through
      default:
        s satisfies never;
    }
    x.reset();
  }

  function scalarLet(s: LetStmt): void {
    const value = settle(x.scalar(s.value));
    names.values.set(s.name, value);
    x.keepForm(s.name, s.value);
    if (s.value.k !== 'load') return;
    // Which of the two is used shows later; the other is left out.
    const everywhere = x.splatLoad(s.value);
    if (everywhere) {
      b.evaluate(everywhere);
      names.splats.set(value, everywhere);
    }
  }

  /** A value that stays as it is now, computed here. */
  function settle(n: Node): Node {
    if (n.mutable) {
      const local = b.local(n.type);
      b.set(local, n);
      return b.get(local);
    }
    b.evaluate(n);
    return n;
  }

  function allocate(s: AllocStmt, rest: readonly Stmt[]): Place {
    if (s.memory === 'register') {
      const wide = rest.some((r) => usedInLanes(r, s.name, undefined));
      const type = wide ? 'v128' : isFloat(s.dtype) ? 'f32' : 'i32';
      const locals = Array.from({ length: wide ? Math.ceil(s.length / lanes) : s.length }, () => b.local(type));
      return {
        k: 'registers',
        name: s.name,
        dtype: s.dtype,
        wide,
        locals,
        current: locals.map((local) => b.get(local, true)),
      };
    }
    const offset = scratchTop;
    scratchTop += Math.ceil((s.length * dtypeBytes[s.dtype]) / scratchAlign) * scratchAlign;
    scratchPeak = Math.max(scratchPeak, scratchTop);
    const base = b.pure(o.globalGet, 'i32', [], unsigned(scratch));
    return { k: 'memory', id: `${s.name}#${allocated++}`, dtype: s.dtype, base, offset, version: 0 };
  }

  // ---- loops
  function loop(s: ForStmt, grid?: Tickets): void {
    const count = x.scalar(s.count);
    if (count.constant !== undefined && count.constant <= 0) return;
    if (s.kind === 'grid' && grid) gridLoop(s, count, grid);
    else if (s.kind === 'vector' && s.body.every((inner) => inner.k === 'let' || inner.k === 'store'))
      vectorLoop(s, count);
    else if (count.constant !== undefined && (s.kind === 'unroll' || count.constant === 1)) {
      for (let i = 0; i < count.constant; i++) iteration(s, b.i32(i));
    } else if (s.kind === 'unroll') names.fail(`the count of the unrolled loop '${s.name}' is not a constant`);
    else serialLoop(s, count, b.local('i32'), b.i32(0));
  }

  function iteration(s: ForStmt, counter: Node): void {
    scoped(() => {
      names.natural.add(counter);
      names.values.set(s.name, counter);
      block(s.body);
    });
  }

  /** Iterations from `from` (or from where the counter stands) one by one. */
  function serialLoop(s: ForStmt, count: Node, counter: number, from: Node | undefined): void {
    b.evaluate(count);
    const body = inside('loop', s.body, () => {
      iteration(s, b.get(counter));
    });
    const certain = from !== undefined && count.constant !== undefined;
    b.add({ k: 'loop', counter, from, until: count, step: 1, certain, body }, [count]);
  }

  function gridLoop(s: ForStmt, count: Node, { take, args }: Tickets): void {
    b.evaluate(count);
    const [counter, end] = [b.local('i32'), b.local('i32')];
    const body = inside('loop', s.body, () => {
      iteration(s, b.get(counter));
    });
    b.add({ k: 'grid', counter, end, take, args, count, body }, [count]);
  }

  function vectorLoop(s: ForStmt, count: Node): void {
    const constant = count.constant;
    if (
      constant !== undefined &&
      (isExpanded(s) || constant <= expandedLanes || s.body.some((inner) => registersInLanes(inner, s.name)))
    ) {
      const whole = constant - (constant % lanes);
      for (let i = 0; i < whole; i += lanes) chunk(s, b.i32(i));
      for (let i = whole; i < constant; i++) iteration(s, b.i32(i));
      return;
    }
    const whole =
      constant === undefined ? b.pure(o.i32And, 'i32', [count, b.i32(-lanes)]) : b.i32(constant - (constant % lanes));
    b.evaluate(whole);
    const counter = b.local('i32');
    const body = inside('loop', s.body, () => {
      const first = b.get(counter);
      names.natural.add(first);
      chunk(s, first);
    });
    b.add({ k: 'loop', counter, from: b.i32(0), until: whole, step: lanes, certain: constant !== undefined, body }, [
      whole,
    ]);
    if (constant === undefined || constant % lanes !== 0) serialLoop(s, count, counter, undefined);
  }

  function registersInLanes(s: Stmt, counter: string): boolean {
    return [...names.places.values()].some((p) => p.k === 'registers' && touchesInLanes(s, p.name, counter));
  }

  /** Four iterations of a vector loop at once. */
  function chunk(s: ForStmt, first: Node): void {
    scoped(() => {
      const changed = written(s.body);
      names.vectorLoop = { counter: s.name, first, lets: new Map(), varies: new Map() };
      for (const inner of s.body) {
        if (inner.k === 'let') vectorLet(inner, changed);
        else if (inner.k === 'store') storeVector(inner);
        x.reset();
      }
      names.vectorLoop = undefined;
    });
  }

  function vectorLet(s: LetStmt, changed: ReadonlySet<string>): void {
    const loop = names.vectorLoop!;
    if (!x.varies(s.value)) {
      scalarLet(s);
      return;
    }
    let loads = dependsOnLoads(s.value, (name) => loop.lets.get(name)?.loads ?? false);
    if (!loads)
      eachLoad(s.value, (l) => {
        loads ||= changed.has(l.from);
      });
    loop.lets.set(s.name, { vector: settle(x.vector(s.value)), value: s.value, loads });
  }

  // ---- stores
  function writeRegister(to: Registers, group: number, value: Node): void {
    b.set(to.locals[group]!, isHalf(to.dtype) ? rounded(b, value, to.dtype) : value);
    renew(b, to, group);
  }

  function writeElement(to: Place, at: LoopExpr, value: Node, lane?: number): void {
    const index = x.linear(at, lane);
    if (to.k === 'registers') {
      const element = x.elementOf(to, index);
      if (to.wide) writeRegister(to, Math.floor(element / lanes), x.withLane(to, element, value));
      else writeRegister(to, element, value);
      return;
    }
    const { address, offset } = x.addressOf(to, index);
    if (isHalf(to.dtype)) b.store(o.i32Store16, address, toHalf(b, value, to.dtype), 1, offset);
    else if (isFloat(to.dtype)) b.store(o.f32Store, address, value, 2, offset);
    else if (dtypeBytes[to.dtype] === 4) b.store(o.i32Store, address, value, 2, offset);
    else b.store(o.i32Store8, address, value, 0, offset);
  }

  const changed = (to: Place): void => {
    if (to.k === 'memory') to.version++;
  };

  function storeScalar(s: StoreStmt): void {
    const to = x.place(s.to);
    writeElement(to, s.at, x.scalar(s.value));
    changed(to);
  }

  function storeVector(s: StoreStmt): void {
    const to = x.place(s.to);
    const index = x.linearInLanes(s.at);
    if (
      to.k === 'registers' &&
      to.wide &&
      index?.stride === 1 &&
      index.terms.size === 0 &&
      index.offset % lanes === 0
    ) {
      writeRegister(to, x.elementOf(to, { ...index, stride: 0 }) / lanes, x.vector(s.value));
    } else if (to.k === 'memory' && index?.stride === 1) storeNeighbours(to, x.addressOf(to, index), x.vector(s.value));
    else {
      const dtype: DType = s.value.dtype;
      const each = x.varies(s.value) ? settle(x.vector(s.value)) : undefined;
      for (let lane = 0; lane < lanes; lane++)
        writeElement(to, s.at, each ? extractLane(b, each, lane, dtype) : x.scalar(s.value), lane);
    }
    changed(to);
  }

  function storeNeighbours(to: Memory, { address, offset }: { address: Node; offset: number }, value: Node): void {
    if (isHalf(to.dtype))
      b.store(v.store64Lane, address, narrowToHalves(b, toHalves(b, value, to.dtype)), 1, offset, [0]);
    else if (dtypeBytes[to.dtype] === 4) b.store(v.store, address, value, 2, offset);
    else b.store(v.store32Lane, address, narrowToBytes(b, value, to.dtype), 0, offset, [0]);
  }

  return { block, scratchBytes: () => scratchPeak };
}

function restore<V>(map: Map<string, V>, to: ReadonlyMap<string, V>): void {
  map.clear();
  for (const [name, value] of to) map.set(name, value);
}
