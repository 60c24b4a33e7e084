/** What a legal kernel of workgroups is: the form in which a GPU takes kernels, and barriers that all threads of a workgroup reach. */
import type { ForStmt, Kernel, LoopExpr, Stmt } from './language.ts';
import { exprsOf } from './language.ts';
import { eachExpr, eachStmt } from './walk.ts';

/** Whether a kernel is written for workgroups of threads. */
export function isForWorkgroups(kernel: Kernel): boolean {
  let found = kernel.workgroup[0] > 1;
  eachStmt(kernel.body, (s) => {
    found ||= s.k === 'for' && s.kind === 'local';
  });
  return found;
}

/**
 * Checks the form of such a kernel: `let`s and one `grid` loop, in it `let`s, shared storage and one `local` loop over the threads of the
 * workgroup. Loops and conditions around a barrier depend on nothing but sizes, the grid's counter and each other: what is
 * loaded may differ between threads. `fail` throws.
 */
export function verifyWorkgroups(kernel: Kernel, fail: (why: string, at?: Stmt) => never): void {
  const [threads, ...others] = kernel.workgroup;
  if (!Number.isInteger(threads) || threads < 1 || others.some((n) => n !== 1))
    fail(`a workgroup is [threads, 1, 1], not [${kernel.workgroup.join(', ')}]`);
  const grid = kernel.body.at(-1);
  if (grid?.k !== 'for' || grid.kind !== 'grid' || kernel.body.slice(0, -1).some((s) => s.k !== 'let'))
    return fail('a kernel of workgroups holds lets and then one grid loop, nothing else');
  const local = grid.body.at(-1);
  const isPreparation = (s: Stmt): boolean => s.k === 'let' || (s.k === 'alloc' && s.memory === 'shared');
  if (local?.k !== 'for' || local.kind !== 'local' || !grid.body.slice(0, -1).every(isPreparation))
    return fail('the grid loop of a kernel of workgroups holds lets, shared storage and then one local loop', grid);
  if (local.count.k !== 'const' || local.count.value !== threads)
    fail(`the local loop counts the ${threads} threads of the workgroup, nothing else`, local);
  eachStmt(local.body, (s) => {
    if (s.k === 'for' && s.kind === 'local') fail('a local loop stands in another', s);
    if (s.k === 'alloc' && s.memory === 'shared') fail('shared storage must stand outside of local loops', s);
  });
  verifyBarriers([...kernel.body.slice(0, -1), ...grid.body.slice(0, -1)], local, fail);
}

/** Whether a block holds a barrier. */
function waits(block: readonly Stmt[]): boolean {
  let found = false;
  eachStmt(block, (s) => {
    found ||= s.k === 'barrier';
  });
  return found;
}

function verifyBarriers(before: readonly Stmt[], local: ForStmt, fail: (why: string, at?: Stmt) => never): void {
  /** Names whose values threads may not agree on. */
  const varying = new Set([local.name]);
  const differs = (x: LoopExpr): boolean => {
    let found = false;
    eachExpr(x, (y) => {
      found ||= y.k === 'load' || (y.k === 'var' && varying.has(y.name));
    });
    return found;
  };
  const block = (stmts: readonly Stmt[]): void => {
    for (const s of stmts) {
      if (s.k === 'let' && differs(s.value)) varying.add(s.name);
      if (s.k !== 'for' && s.k !== 'if') continue;
      const differ = exprsOf(s).some(differs);
      if (differ && waits(s.body))
        fail('threads of a workgroup may disagree about a statement that holds a barrier', s);
      // Threads that run a loop for different times are in different iterations at a time.
      if (s.k === 'for' && (differ || s.kind === 'vector')) varying.add(s.name);
      block(s.body);
    }
  };
  block(before);
  block(local.body);
}
