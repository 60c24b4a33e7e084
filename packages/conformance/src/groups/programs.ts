/** What a program is besides its results: its errors, its end, its memory, and that it does the same twice. */
import type { Artifact, Program } from '@sinter/compiler';
import { build, compile, contractVersion, interpreter } from '@sinter/compiler';
import type { Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { assert, checkGraph, rejects, sameBits, withProgram } from '../check.ts';
import { noise, tensorOf } from '../data.ts';
import type { Suite } from '../suite.ts';

const x = ir.input('x', ['n', 8]);
const w = ir.state('w', [8, 8]);
const hidden = ir.gelu(ir.matmul(ir.softmax(x), w) as Tensor);
const net = ir.graph('net', {
  outputs: { y: hidden, total: ir.sum(hidden) },
  updates: { w: ir.sub(w, ir.mul(ir.matmul(ir.transpose(x, [1, 0]), hidden), 0.01)) },
});
const given = (n: number): ir.TensorData => noise([n, 8], { seed: n });

/** Errors, life cycle, determinism, memory. */
export function programTests({ describe, test, backend }: Suite): void {
  describe('programs', () => {
    test('inputs that do not fit are errors that say so, and the program goes on', async () => {
      await withProgram(net, await backend(), {}, async (program) => {
        await rejects('missing', () => program.run({}), 'ShapeError', "'x' is missing");
        await rejects('unknown', () => program.run({ x: given(2), z: given(2) }), 'ShapeError', "'z'");
        await rejects('wrong size', () => program.run({ x: noise([2, 7]) }), 'ShapeError', 'axis 1 must be 8');
        await rejects('wrong rank', () => program.run({ x: noise([8]) }), 'ShapeError', 'rank must be 2');
        await rejects(
          'short data',
          () => program.run({ x: { data: new Float32Array(15), shape: [2, 8] } }),
          'ShapeError',
          '16 elements, the data 15',
        );
        await rejects(
          'wrong dtype',
          () => program.run({ x: tensorOf([1, 8], new Array<number>(8).fill(0), 'i32') }),
          'ShapeError',
          'f32',
        );
        const { y } = await program.run({ x: given(3) });
        assert(y?.shape.join() === '3,8', 'after errors the program does not run');
      });
    });
    test('sizes that disagree between inputs', async () => {
      const g = ir.graph('two', { outputs: { sum: ir.add(ir.sum(x), ir.sum(ir.input('y', ['n']))) } });
      await withProgram(g, await backend(), {}, (program) =>
        rejects('n twice', () => program.run({ x: given(2), y: noise([3]) }), 'ShapeError', "'n'"),
      );
    });
    test('an input, an output and a state may have one name; names may be anything', async () => {
      const odd = ir.input('a "b" [0].c/ü', [3]);
      const g = ir.graph('names', {
        outputs: {
          x: ir.mul(ir.input('x', [3]), 2),
          constant0: ir.add(odd, ir.constant(Float32Array.of(1, 2, 3), [3])),
          'a "b" [0].c/ü': ir.exp(odd),
        },
        updates: { x: ir.add(ir.state('x', [3]), ir.input('x', [3])) },
      });
      await checkGraph(g, await backend(), {
        inputs: { x: noise([3]), 'a "b" [0].c/ü': noise([3], { seed: 1 }) },
        state: { x: noise([3], { seed: 2 }) },
        runs: 2,
      });
    });
    test('outputs belong to the caller', async () => {
      await withProgram(ir.graph('copy', { outputs: { x, y: ir.add(x, 0) } }), await backend(), {}, async (program) => {
        const { x: found } = await program.run({ x: given(4) });
        const kept = found!.data.slice();
        found!.data.fill(3);
        sameBits('an output that the caller changed', (await program.run({ x: given(4) }))['x']!.data, kept);
        const { y } = await program.run({ x: given(4) });
        await program.run({ x: given(5) });
        sameBits('an output after another run', y!.data, kept);
      });
    });
    test('inputs and states that do not matter may be there', async () => {
      const g = ir.graph('idle', {
        outputs: {
          zero: ir.sum(ir.mul(ir.reshape(ir.full([0], 1), [0]), ir.sum(x))),
          shape: ir.add(ir.dimValue('n'), ir.sum(ir.slice(x, { starts: [0, 0], ends: [undefined, 0] }))),
          y: ir.where(ir.full([], 1, 'bool'), ir.full([2], 1), ir.sum(w)),
        },
      });
      await checkGraph(g, await backend(), { inputs: { x: given(3) } });
    });
    test('a graph without inputs, one without outputs, and one that does nothing but copy', async () => {
      await checkGraph(
        ir.graph('constants', {
          outputs: { a: ir.iota([2, 3], 1), b: ir.constant(Float32Array.of(1, NaN, -0), [3]), c: ir.full([4], 2) },
        }),
        await backend(),
      );
      await checkGraph(ir.graph('silent', { updates: { w: ir.add(w, 1) } }), await backend(), { runs: 2 });
      await checkGraph(ir.graph('copies', { outputs: { one: x, two: x, three: w } }), await backend(), {
        inputs: { x: given(2) },
      });
    });
    test('closes twice and runs no more', async () => {
      const program = await compile(net, await backend());
      await program.run({ x: given(5) });
      program.close();
      program.close();
      await program[Symbol.asyncDispose]();
      await rejects('a run after the end', () => program.run({ x: given(5) }), 'BackendError', 'closed');
    });
    test('a hundred programs of one artifact, ten at a time', async () => {
      const on = await backend();
      const artifact = await build(net, on);
      const open: Program[] = [];
      let first: ir.Data | undefined;
      const closeOldest = async (): Promise<void> => {
        const program = open.shift()!;
        program.close();
        await program[Symbol.asyncDispose]();
      };
      for (let i = 0; i < 100; i++) {
        const program = await on.load(artifact);
        open.push(program);
        await program.state.write('w', noise([8, 8]).data);
        const { y } = await program.run({ x: given(5) });
        first ??= y!.data;
        sameBits(`program ${i}`, y!.data, first);
        if (open.length === 10) await closeOldest();
      }
      while (open.length > 0) await closeOldest();
    }, 120_000);
    test('closing waits for a run that is under way, or ends it with an error', async () => {
      const program = await compile(net, await backend());
      const running = program.run({ x: given(64) }).then(
        () => 'done',
        (error: unknown) => (error instanceof Error ? error.name : 'what?'),
      );
      program.close();
      const end = await running;
      assert(end === 'done' || end === 'BackendError', `a run that was closed ended with ${end}`);
      await program[Symbol.asyncDispose]();
    });
    test('does the same twice, bit by bit, also after other sizes', async () => {
      const on = await backend();
      const loss = ir.mean(
        ir.square(ir.matmul(ir.tanh(ir.matmul(x, w) as Tensor), ir.input('v', [8, 300])) as Tensor),
      ) as Tensor;
      const [gradient] = ir.gradients(loss, [w]);
      const g = ir.graph('twice', {
        outputs: {
          loss,
          gradient,
          columns: ir.sum(x, { axes: 0 }),
          scattered: ir.scatterAdd(ir.cast(ir.mod(ir.iota(['n'], 0), 3), 'i32'), x, 3),
        },
      });
      await withProgram(g, on, {}, async (program) => {
        await program.state.write('w', noise([8, 8]).data);
        const v = noise([8, 300], { seed: 3 });
        const one = await program.run({ x: given(777), v });
        await program.run({ x: given(3), v });
        const two = await program.run({ x: given(777), v });
        for (const name of Object.keys(g.outputs)) sameBits(name, two[name]!.data, one[name]!.data);
      });
    }, 60_000);
    test('memory is counted: state once, the arena with the sizes', async () => {
      await withProgram(net, await backend(), {}, async (program) => {
        const [small, large] = [program.memory({ n: 1 }), program.memory({ n: 1000 })];
        assert(small.state >= 256 && small.state < 65536, `state of 64 numbers takes ${small.state} bytes`);
        assert(small.state === large.state, 'state grows with sizes');
        assert(
          large.arena >= 2 * 4 * 8000 && large.arena < 100 * 4 * 8000,
          `an input and an output of 8,000 numbers take ${large.arena} bytes`,
        );
        assert(small.arena < large.arena, 'the arena does not grow with sizes');
      });
    });
    test('a long chain of layers reuses its memory', async () => {
      let y: Tensor = x;
      for (let i = 0; i < 24; i++) y = ir.relu(ir.matmul(y, w) as Tensor);
      await withProgram(ir.graph('chain', { outputs: { y } }), await backend(), {}, async (program) => {
        const { arena } = program.memory({ n: 1000 });
        assert(arena < 12 * 4 * 8000, `24 layers of 8,000 numbers take ${arena} bytes at once`);
      });
    });
    test('profile gives the same results and a time for every step', async () => {
      await withProgram(net, await backend(), {}, async (program) => {
        await program.state.write('w', noise([8, 8]).data);
        const { outputs, steps } = await program.profile({ x: given(5) });
        await program.state.write('w', noise([8, 8]).data);
        sameBits('y', (await program.run({ x: given(5) }))['y']!.data, outputs['y']!.data);
        assert(
          steps.length > 0 && steps.every((s, i) => s.step === i && s.kernel !== '' && s.ms >= 0),
          'steps are not all timed',
        );
      });
    });
    test('an artifact is plain data', async () => {
      const on = await backend();
      const artifact = structuredClone(await build(net, on));
      const program = await on.load(artifact);
      assert((await program.run({ x: given(2) }))['y']?.shape.join() === '2,8', 'a copied artifact does not run');
      program.close();
      await program[Symbol.asyncDispose]();
    });
    test('artifacts and state that do not fit are refused before anything runs, and nothing is left behind', async () => {
      const on = await backend();
      const artifact = await build(net, on);
      const load = (change: Partial<Artifact>) => () => on.load({ ...artifact, ...change });
      await rejects('of another backend', load({ backend: 'another' }), 'BackendError', 'another');
      await rejects('without code', load({ code: {} }), 'BackendError', "'net'");
      const foreign = await compile(net, interpreter());
      const other = { ...foreign.state, ports: foreign.state.ports };
      await rejects('state of another backend', () => on.load(artifact, { state: other }), 'BackendError', "'net'");
      const program = await on.load(artifact);
      const wider = ir.graph('wider', { outputs: { w: ir.state('w', [9]), fresh: ir.state('fresh', [3]) } });
      await rejects(
        'state of another shape',
        () => compile(wider, on, { state: program.state }),
        'BackendError',
        "'w'",
      );
      assert(!('fresh' in program.state.ports), 'a program that was refused has left state behind');
      assert((await program.run({ x: given(2) }))['y']?.shape.join() === '2,8', 'after refusals nothing runs');
      for (const p of [program, foreign]) p.close();
      await program[Symbol.asyncDispose]();
    });
    test('is written for a contract that this suite knows', async () => {
      const { contract = 1, name, target } = await backend();
      assert(
        Number.isInteger(contract) && contract >= 1 && contract <= contractVersion,
        `the backend is written for contract ${contract}, this suite tests 1 to ${contractVersion}; take the release of @sinter/conformance that belongs to it`,
      );
      assert(name !== '' && target.maxBindings > 0 && target.threads > 0, 'the backend has no name or an empty target');
    });
  });
}
