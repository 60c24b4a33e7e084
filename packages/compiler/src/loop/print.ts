/** Kernels and plans as text that people read; stable, so that snapshots show what a change did to the code that runs. */
import type { DType, ScalarOp } from '@sinter/ir';
import { isFloat } from '@sinter/ir';
import { keepPrepared } from '../artifact/prepare.ts';
import type { Kernel, LoopExpr, Stmt } from './language.ts';
import type { Plan } from '../plan.ts';

/** Infix ops with their precedence; the rest are written as calls. */
const infix: Partial<Record<ScalarOp, readonly [sign: string, level: number]>> = {
  or: ['|', 1],
  xor: ['^', 2],
  and: ['&', 3],
  eq: ['==', 4],
  lt: ['<', 5],
  le: ['<=', 5],
  shl: ['<<', 6],
  shr: ['>>', 6],
  add: ['+', 7],
  sub: ['-', 7],
  mul: ['*', 8],
  div: ['/', 8],
  mod: ['%', 8],
};
const prefix = 9;
const atom = 10;

function printConst(value: number, dtype: DType): string {
  if (dtype === 'bool') return value === 0 ? 'false' : 'true';
  if (!isFloat(dtype)) return dtype === 'i32' ? String(value) : `${value}:${dtype}`;
  if (!Number.isFinite(value)) return String(value);
  // The shortest text that reads back as the same f32.
  let text = String(value);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) {
      text = String(short);
      break;
    }
  }
  if (Object.is(value, -0)) text = '-0';
  return `${/[.e]/.test(text) ? text : `${text}.0`}${dtype === 'f32' ? '' : `:${dtype}`}`;
}

/** Prints an expression with as few parentheses as keep its structure. */
export function printExpr(x: LoopExpr): string {
  const done = new Map<LoopExpr, readonly [text: string, level: number]>();
  const show = (y: LoopExpr, level: number): string => {
    let known = done.get(y);
    if (!known) done.set(y, (known = make(y)));
    return known[1] < level ? `(${known[0]})` : known[0];
  };
  const make = (y: LoopExpr): readonly [string, number] => {
    switch (y.k) {
      case 'const':
        return [printConst(y.value, y.dtype), y.value < 0 || Object.is(y.value, -0) ? prefix : atom];
      case 'var':
        return [y.name, atom];
      case 'load':
        return [`${y.from}[${show(y.at, 0)}]`, atom];
      case 'op':
        break;
      default:
        return y satisfies never;
    }
    const [a, b] = y.args as [LoopExpr, LoopExpr];
    if (y.op === 'xor' && y.dtype === 'bool' && b.k === 'const' && b.value === 1)
      return [`!${show(a, prefix)}`, prefix];
    const sign = infix[y.op];
    if (sign) return [`${show(a, sign[1])} ${sign[0]} ${show(b, sign[1] + 1)}`, sign[1]];
    if (y.op === 'neg') return [`-${show(a, atom)}`, prefix];
    const name = y.op === 'cast' ? y.dtype : y.op === 'bitcast' ? `bits_${y.dtype}` : y.op;
    return [`${name}(${y.args.map((arg) => show(arg, 0)).join(', ')})`, atom];
  };
  return show(x, 0);
}

/** Prints a statement, or only its first line without the body, at a depth of indentation. */
export function printStmt(s: Stmt, depth = 0, onlyHead = false): string {
  const pad = '  '.repeat(depth);
  const block = (head: string, body: readonly Stmt[]): string =>
    onlyHead
      ? `${pad}${head} {`
      : `${pad}${head} {\n${body.map((inner) => `${printStmt(inner, depth + 1)}\n`).join('')}${pad}}`;
  switch (s.k) {
    case 'for':
      return block(`for ${s.name} ${s.kind} ${printExpr(s.count)}`, s.body);
    case 'if':
      return block(`if ${printExpr(s.when)}`, s.body);
    case 'let':
      return `${pad}let ${s.name}${s.value.dtype === 'i32' ? '' : `: ${s.value.dtype}`} = ${printExpr(s.value)}`;
    case 'alloc':
      return `${pad}alloc ${s.name}: ${s.memory} ${s.dtype}[${s.length}]`;
    case 'store':
      return `${pad}${s.to}[${printExpr(s.at)}] = ${printExpr(s.value)}`;
    case 'barrier':
      return `${pad}barrier`;
    default:
      return s satisfies never;
  }
}

/** Prints a kernel. */
export function printKernel(kernel: Kernel): string {
  const buffers = kernel.buffers.map((b) => `${b.name}: ${b.access} ${b.dtype}`).join(', ');
  const dims = kernel.dims.length > 0 ? ` over ${kernel.dims.join(', ')}` : '';
  const group = kernel.workgroup.some((n) => n !== 1) ? ` workgroup ${kernel.workgroup.join('×')}` : '';
  return `kernel ${kernel.name}(${buffers})${dims}${group} {\n${kernel.body.map((s) => `${printStmt(s, 1)}\n`).join('')}}\n`;
}

/** Rows as columns of equal width. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((r) => r[c]!.length)));
  return rows.map(
    (r) =>
      `  ${r
        .map((cell, c) => cell.padEnd(widths[c]!))
        .join('  ')
        .trimEnd()}`,
  );
}

/** Prints a plan: its border, its buffers with role, length and the steps they live for, the steps, and every kernel. */
export function printPlan(plan: Plan): string {
  const lines = [`plan ${plan.name}`];
  for (const [name, range] of Object.entries(plan.dims)) lines.push(`dim ${name} ${range.min}..${range.max}`);
  for (const kind of ['inputs', 'state', 'outputs'] as const) {
    for (const [name, port] of Object.entries(plan[kind])) {
      lines.push(
        `${kind === 'state' ? kind : kind.slice(0, -1)} ${name}: ${port.dtype}[${port.shape.join(', ')}] in ${plan.buffers[port.buffer]?.name}`,
      );
    }
  }
  lines.push(
    'buffers',
    ...table(
      keepPrepared(plan).buffers.map((b, i) => [
        String(i),
        b.name,
        b.role,
        `${b.dtype}[${printExpr(b.length)}]`,
        b.role === 'scratch' ? `steps ${b.live[0]}..${b.live[1]}` : '',
      ]),
    ),
  );
  lines.push(
    'steps',
    ...table(
      plan.steps.map((s, i) => [
        `${i}${i < (plan.prepare ?? 0) ? ' once' : ''}`,
        plan.kernels[s.kernel]?.name ?? `kernel ${s.kernel}?`,
        s.buffers.map((b) => plan.buffers[b]?.name ?? `${b}?`).join(', '),
      ]),
    ),
  );
  return `${lines.join('\n')}\n${plan.kernels.map((k) => `\n${printKernel(k)}`).join('')}`;
}
