/**
 * Expressions of the loop language as C: scalar, for one lane of a vector loop, or for all of its lanes at once.
 * Neighbouring elements are loaded as one vector, equal ones once, others lane by lane.
 */
import type { LoadExpr, LoopExpr } from '@sinter/compiler';
import { isFloat } from '@sinter/ir';
import type { Linear } from './linear.ts';
import { atom, fixed, isFixed, plus, printLinear } from './linear.ts';
import type { Place, Registers, Scope } from './names.ts';
import { valueType, vectorType } from './names.ts';
import type { Operand } from './spell.ts';
import { constant, spellScalar, spellVector } from './spell.ts';
import type { JoiningOp } from './tree.ts';
import { laneTree } from './tree.ts';

/** Which iteration of the vector loop around an expression is meant: a lane, or none where there is no such loop. */
type Lane = number | undefined;

/** Prints expressions. What a statement uses twice becomes a variable before it. */
export type Expressions = ReturnType<typeof expressions>;

const partsOf = (x: LoopExpr): readonly LoopExpr[] => (x.k === 'op' ? x.args : x.k === 'load' ? [x.at] : []);

/** The printing of expressions over a scope. */
export function expressions(scope: Scope) {
  let uses = new Map<LoopExpr, number>();
  let scalars = new Map<Lane, Map<LoopExpr, string>>();
  let vectors = new Map<LoopExpr, string>();
  let forms = new Map<Lane | 'all', Map<LoopExpr, Linear | undefined>>();

  /** Starts a statement that is made of some expressions. */
  function begin(roots: readonly LoopExpr[]): void {
    uses = new Map();
    scalars = new Map();
    vectors = new Map();
    forms = new Map();
    const count = (x: LoopExpr): void => {
      const n = uses.get(x) ?? 0;
      uses.set(x, n + 1);
      if (n === 0) partsOf(x).forEach(count);
    };
    roots.forEach(count);
  }

  const place = (name: string): Place => scope.places.get(name) ?? scope.fail(`nothing is called '${name}'`);

  /** Whether an expression differs between the lanes of the vector loop around. */
  function varies(x: LoopExpr): boolean {
    const loop = scope.vector;
    if (!loop) return false;
    const known = loop.varies.get(x);
    if (known !== undefined) return known;
    const out = x.k === 'var' ? x.name === loop.counter || loop.lets.has(x.name) : partsOf(x).some(varies);
    loop.varies.set(x, out);
    return out;
  }

  /** A variable for a text. */
  function named(type: string, text: string, like = 't'): string {
    const c = scope.fresh(like);
    scope.line(`const ${type} ${c} = ${bare(text)};`);
    return c;
  }

  // ---- indices
  /** An index as a sum: in one lane, or of the first lane with its stride; `undefined` if it is not linear in the counter. */
  function form(x: LoopExpr, lane: Lane | 'all'): Linear | undefined {
    if (!varies(x)) lane = undefined;
    let memo = forms.get(lane);
    if (!memo) forms.set(lane, (memo = new Map()));
    if (memo.has(x)) return memo.get(x);
    const out = newForm(x, lane);
    memo.set(x, out);
    return out;
  }

  function newForm(x: LoopExpr, lane: Lane | 'all'): Linear | undefined {
    if (x.k === 'const') return fixed(x.value);
    const loop = scope.vector;
    if (x.k === 'var') {
      if (lane !== undefined && loop?.counter === x.name)
        return plus(loop.first, lane === 'all' ? fixed(0, 1) : fixed(lane));
      const varying = lane === undefined ? undefined : loop?.lets.get(x.name);
      if (varying && !varying.loads) return form(varying.value, lane);
      const value = scope.values.get(x.name);
      if (typeof value === 'number') return fixed(value);
      if (value?.wide) return atom(value.c);
    }
    if (x.k === 'op' && x.dtype === 'i32') {
      const [p, q] = x.args as [LoopExpr, LoopExpr];
      switch (x.op) {
        case 'add':
        case 'sub': {
          const [m, n] = [form(p, lane), form(q, lane)];
          return m && n && plus(m, n, x.op === 'add' ? 1 : -1);
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
    return lane === 'all' ? undefined : atom(`(idx)${scalar(x, lane)}`);
  }

  /** An index in one lane. */
  const index = (x: LoopExpr, lane: Lane): Linear => form(x, lane)!;

  /** The one element of registers that an index stands for, if it is a constant. */
  function elementOf(registers: Registers, at: Linear): number {
    const limit = registers.variables.length * registers.lanes;
    if (at.terms.size > 0 || at.offset < 0 || at.offset >= limit)
      scope.fail(`an index of the register array '${registers.name}' is not a constant within its length`);
    return at.offset;
  }

  /** An element as an assignable C expression. */
  function element(to: Place, x: LoopExpr, lane: Lane): string {
    const at = index(x, lane);
    if (to.k === 'memory') {
      if (lane !== undefined) scope.vector!.scattered = true;
      return `${to.c}[${printLinear(at)}]`;
    }
    const n = elementOf(to, at);
    const variable = to.variables[Math.floor(n / to.lanes)]!;
    return to.lanes === 1 ? variable : `${variable}[${n % to.lanes}]`;
  }

  // ---- scalars
  function scalarLoad(x: LoadExpr, lane: Lane): string {
    const from = place(x.from);
    const c = element(from, x.at, lane);
    if (from.k === 'registers') return from.dtype === 'bool' && from.lanes > 1 ? `(${c} & 1)` : c;
    return from.dtype === 'f16' || from.dtype === 'bf16' ? `f32_${from.dtype}(${c})` : c;
  }

  /** All lanes of registers as one value, if that is what an expression is. */
  function joinedLanes(x: LoopExpr): string | undefined {
    const tree = laneTree(x);
    const from = tree && scope.places.get(tree.from);
    if (from?.k !== 'registers' || from.lanes === 1 || from.variables.length * from.lanes !== tree!.count)
      return undefined;
    const type = `f32x${from.lanes}`;
    let parts = from.variables;
    while (parts.length > 1) {
      const half = parts.length / 2;
      parts = parts.slice(0, half).map((a, i) => joinVectors(tree!.op, type, a, parts[half + i]!));
    }
    return `reduce_${tree!.op}_${type}(${bare(parts[0]!)})`;
  }

  function newScalar(x: LoopExpr, lane: Lane): string {
    switch (x.k) {
      case 'const':
        return constant(x.value, x.dtype);
      case 'var': {
        const loop = scope.vector;
        if (lane !== undefined && loop) {
          if (loop.counter === x.name) return truncated(plus(loop.first, fixed(lane)));
          const varying = loop.lets.get(x.name);
          if (varying) return x.dtype === 'bool' ? `(${varying.c}[${lane}] & 1)` : `${varying.c}[${lane}]`;
        }
        const value = scope.values.get(x.name) ?? scope.fail(`nothing is called '${x.name}'`);
        if (typeof value === 'number') return constant(value, 'i32');
        return value.wide ? `(i32)${value.c}` : value.c;
      }
      case 'load':
        return scalarLoad(x, lane);
      case 'op': {
        const joined = joinedLanes(x);
        if (joined !== undefined) return joined;
        const from = x.args[x.op === 'select' ? 1 : 0]!.dtype;
        const divisor = x.args[1]?.k === 'const' ? x.args[1].value : undefined;
        return spellScalar(x.op, from, x.dtype, x.args.map((a) => scalar(a, lane)), divisor); // prettier-ignore
      }
      default:
        return x satisfies never;
    }
  }

  const truncated = (x: Linear): string => (isFixed(x) ? constant(x.offset, 'i32') : `(i32)(${printLinear(x)})`);

  /** An expression as a scalar, in one lane of the vector loop around. */
  function scalar(x: LoopExpr, lane?: Lane): string {
    if (!varies(x)) lane = undefined;
    let memo = scalars.get(lane);
    if (!memo) scalars.set(lane, (memo = new Map()));
    const known = memo.get(x);
    if (known !== undefined) return known;
    const text = newScalar(x, lane);
    // In a vector loop a scalar may stand in every lane.
    const kept =
      x.k !== 'const' && x.k !== 'var' && (uses.get(x) !== 1 || (scope.vector !== undefined && lane === undefined));
    const out = kept ? named(valueType(x.dtype), text) : text;
    memo.set(x, out);
    return out;
  }

  // ---- vectors
  const lanesOf = (): number => scope.vector!.lanes;
  const eachLane = (f: (lane: number) => string): string =>
    Array.from({ length: lanesOf() }, (_, lane) => f(lane)).join(', ');

  function splat(x: LoopExpr): string {
    const n = lanesOf();
    if (x.dtype === 'bool')
      return `splat_i32x${n}(${x.k === 'const' ? (x.value === 0 ? '0' : '-1') : `-${scalar(x)}`})`;
    return `splat_${vectorType(x.dtype, n)}(${scalar(x)})`;
  }

  /** A vector of scalars, one lane after the other. */
  function gathered(x: LoopExpr, f: (lane: number) => string): string {
    return `(${vectorType(x.dtype, lanesOf())}){${eachLane((lane) => (x.dtype === 'bool' ? `-${f(lane)}` : f(lane)))}}`;
  }

  /** The variable that holds all lanes of an index of registers, if one does. */
  function wholeVariable(registers: Registers, at: Linear | undefined): string | undefined {
    const n = lanesOf();
    if (at?.stride !== 1 || registers.lanes !== n || n === 1) return undefined;
    const first = elementOf(registers, { ...at, stride: 0 });
    return first % n === 0 ? registers.variables[first / n] : undefined;
  }

  function vectorLoad(x: LoadExpr): string {
    const from = place(x.from);
    const at = form(x.at, 'all');
    if (from.k === 'registers') return wholeVariable(from, at) ?? gathered(x, (lane) => scalar(x, lane));
    if (at?.stride === 1) {
      const { rest } = scope.vector!;
      const which = `${from.dtype}x${lanesOf()}`;
      return rest === undefined
        ? `load_${which}(${from.c} + ${printLinear(at)})`
        : `load_first_${which}(${from.c} + ${printLinear(at)}, ${rest})`;
    }
    return gathered(x, (lane) => scalar(x, lane));
  }

  function newVector(x: LoopExpr): string {
    if (!varies(x)) return splat(x);
    const loop = scope.vector!;
    switch (x.k) {
      case 'var':
        return loop.lets.get(x.name)?.c ?? `iota_i32x${loop.lanes}(${truncated(loop.first)})`;
      case 'load':
        return vectorLoad(x);
      case 'op': {
        const from = x.args[x.op === 'select' ? 1 : 0]!.dtype;
        const operands = x.args.map((a): Operand => ({
          vector: () => vector(a),
          constant: a.k === 'const' ? a.value : undefined,
          scalar: varies(a) ? undefined : () => scalar(a),
        }));
        const clamp = clampOf(x);
        if (clamp) return `${clamp.op}_f32x${loop.lanes}(${vector(clamp.p)}, ${vector(clamp.q)})`;
        const [a] = x.args as [LoopExpr];
        const small = a.k === 'op' && a.op === 'shr' && a.args[1]!.k === 'const' && (a.args[1]!.value & 31) !== 0;
        return (
          spellVector(x.op, from, x.dtype, operands, loop.lanes, small) ??
          gathered(x, (lane) => spellScalar(x.op, from, x.dtype, x.args.map((y) => laneOf(y, lane)), divisorOf(x))) // prettier-ignore
        );
      }
      default:
        return scope.fail('a constant cannot differ between lanes');
    }
  }

  /** An operand that an op takes lane by lane: out of its vector, which is computed once. */
  function laneOf(x: LoopExpr, lane: number): string {
    if (!varies(x)) return scalar(x);
    const whole = vector(x);
    const c = /^\w+$/.test(whole) ? whole : named(vectorType(x.dtype, lanesOf()), whole);
    vectors.set(x, c);
    return x.dtype === 'bool' ? `(${c}[${lane}] & 1)` : `${c}[${lane}]`;
  }

  /** An expression in all lanes. */
  function vector(x: LoopExpr): string {
    const known = vectors.get(x);
    if (known !== undefined) return known;
    const text = newVector(x);
    const out =
      uses.get(x) === 1 || x.k === 'const' || /^\w+$/.test(text) ? text : named(vectorType(x.dtype, lanesOf()), text);
    vectors.set(x, out);
    return out;
  }

  return {
    begin,
    place,
    varies,
    form,
    element,
    scalar,
    vector,
    laneOf,
    wholeVariable,
    index,
    /** A scalar without the parentheses around it. */ scalarText: (x: LoopExpr): string => bare(scalar(x)),
    /** A vector without the parentheses around it. */ vectorText: (x: LoopExpr): string => bare(vector(x)),
  };
}

function joinVectors(op: JoiningOp, type: string, a: string, b: string): string {
  return op === 'add' ? `(${a} + ${b})` : op === 'mul' ? `(${a} * ${b})` : `${op}_${type}(${a}, ${b})`;
}

function divisorOf(x: LoopExpr): number | undefined {
  return x.k === 'op' && x.args[1]?.k === 'const' ? x.args[1].value : undefined;
}

const alike = (a: LoopExpr, b: LoopExpr): boolean =>
  a === b ||
  (a.k === 'const' && b.k === 'const' && Object.is(a.value, b.value)) ||
  (a.k === 'var' && b.k === 'var' && a.name === b.name);

/** `p < q ? q : p` and `q < p ? q : p` are what machines call maximum and minimum. */
function clampOf(
  x: LoopExpr,
): { readonly op: 'pmin' | 'pmax'; readonly p: LoopExpr; readonly q: LoopExpr } | undefined {
  if (x.k !== 'op' || x.op !== 'select' || !isFloat(x.dtype)) return undefined;
  const [when, then, otherwise] = x.args as [LoopExpr, LoopExpr, LoopExpr];
  if (when.k !== 'op' || when.op !== 'lt') return undefined;
  const [a, b] = when.args as [LoopExpr, LoopExpr];
  if (alike(then, b) && alike(otherwise, a)) return { op: 'pmax', p: a, q: b };
  return alike(then, a) && alike(otherwise, b) ? { op: 'pmin', p: b, q: a } : undefined;
}

/** Without parentheses around the whole. */
export function bare(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) return text;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return i === text.length - 1 ? text.slice(1, -1) : text;
  }
  return text;
}
