/** State: updates happen after every read, in whatever order and place the planner does them; programs share it. */
import { compile } from '@sinter/compiler';
import type { Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import {
  assert,
  checkGraph,
  checkProgram,
  compareAll,
  completeState,
  rejects,
  sameBits,
  scaleOf,
  withProgram,
} from '../check.ts';
import type { Values } from '../check.ts';
import { noise } from '../data.ts';
import type { Suite } from '../suite.ts';

const [a, b, c, m] = [ir.state('a', [6]), ir.state('b', [6]), ir.state('c', [6]), ir.state('m', [6, 6])];
const x = ir.input('x', [6]);
const values: Values = {
  a: noise([6], { seed: 1 }),
  b: noise([6], { seed: 2 }),
  c: noise([6], { seed: 3 }),
  m: noise([6, 6], { seed: 4 }),
};
const more = ir.add(a, 1);
const product = ir.matmul(m, a) as Tensor;

/** Hazards, each run three times so that what one run leaves behind is read by the next. */
const hazards: Readonly<Record<string, { readonly outputs?: ir.Tensors; readonly updates?: ir.Tensors }>> = {
  'two states change places': { updates: { a: b, b: a } },
  'three states rotate': { updates: { a: b, b: c, c: a } },
  'a state that becomes another one': { updates: { a: ir.neg(b), b: ir.add(a, b) } },
  'in place, element by element': { outputs: { y: ir.mul(a, x) }, updates: { a: ir.sub(a, ir.mul(x, 0.1)) } },
  'in place, in another order': { updates: { a: ir.flip(a, [0]) } },
  'in place, shifted': {
    updates: { a: ir.concat([ir.slice(a, { starts: [1], ends: [6] }), ir.slice(x, { starts: [0], ends: [1] })]) },
  },
  'transposed onto itself': { updates: { m: ir.transpose(m, [1, 0]) } },
  'a product onto its operand': { updates: { m: ir.matmul(m, m), a: product } },
  'a product onto its operand by broadcasting': {
    updates: { a: ir.sum(ir.mul(ir.reshape(a, [6, 1]), ir.reshape(b, [1, 6])), { axes: 0 }) },
  },
  'softmax of itself': { updates: { m: ir.softmax(m), a: ir.softmax(a) } },
  'the old value is read after the update': {
    outputs: { late: ir.exp(ir.matmul(ir.softmax(m), a) as Tensor), flipped: ir.flip(a, [0]) },
    updates: { a: ir.add(ir.flip(a, [0]), b) },
  },
  'an output is a state as it was': { outputs: { before: a, again: a }, updates: { a: more } },
  'an output is an update': { outputs: { more, twice: ir.mul(more, 2) }, updates: { a: more } },
  'one tensor updates two states and is an output': { outputs: { more, b: ir.sum(b) }, updates: { a: more, b: more } },
  'an update is an input': { outputs: { x, old: a }, updates: { a: x } },
  'an update is another state, which stays': { outputs: { sum: ir.add(a, b) }, updates: { a: b } },
  'an update is a constant': {
    outputs: { y: ir.add(a, x), b: ir.sum(b) },
    updates: { a: ir.full([6], 3), b: ir.constant(Float32Array.of(1, 2, 3, 4, 5, 6), [6]) },
  },
  'an update reads state only through a reduction': {
    updates: { a: ir.broadcastTo(ir.sum(a, { keepdims: true }), [6]), b: ir.sub(b, ir.mean(b)) },
  },
  'an update of itself is nothing': {
    outputs: { y: ir.add(a, b) },
    updates: { a, b: ir.reshape(ir.reshape(b, [2, 3]), [6]) },
  },
  'many readers of what is updated': {
    outputs: {
      y1: ir.softmax(a),
      y2: ir.sum(ir.mul(a, x)),
      y3: ir.gather(a, ir.constant(Int32Array.of(5, 0, 5), [3], 'i32')),
      y4: product,
    },
    updates: { a: ir.add(product, a), m: ir.mul(m, ir.reshape(a, [6, 1])) },
  },
  'a block written into a state': {
    outputs: { row: ir.sum(m, { axes: 1 }) },
    updates: { m: ir.updateSlice(m, ir.reshape(x, [1, 6]), ir.constant(Int32Array.of(2, 0), [2], 'i32')) },
  },
  'a block written into a state that is read afterwards only': block((updated) => ({
    row: ir.sum(updated, { axes: 1 }),
  })),
  'a block written into a state that nothing reads': block(() => ({ y: ir.sum(x) })),
  'a block written into a state that is an output too': block((updated) => ({ updated })),
  'a block of the state itself': {
    updates: {
      m: ir.updateSlice(m, ir.slice(m, { starts: [3, 0], ends: [6, 6] }), ir.constant(Int32Array.of(1, 0), [2], 'i32')),
    },
  },
  'rows of a state moved by gather': {
    updates: { m: ir.gather(m, ir.constant(Int32Array.of(5, 4, 3, 2, 1, 0), [6], 'i32')) },
  },
  'an optimizer step': adam(),
};

/** A block that sticks out of a state, computed from another one. */
function block(outputs: (updated: Tensor) => ir.Tensors): {
  readonly outputs: ir.Tensors;
  readonly updates: ir.Tensors;
} {
  const value = ir.mul(ir.reshape(ir.add(x, a), [3, 2]), 2);
  const updated = ir.updateSlice(m, value, ir.constant(Int32Array.of(4, 1), [2], 'i32'));
  return { outputs: outputs(updated), updates: { m: updated } };
}

function adam(): { readonly outputs: ir.Tensors; readonly updates: ir.Tensors } {
  const loss = ir.mean(ir.square(ir.sub(ir.matmul(m, x) as Tensor, 1) as Tensor)) as Tensor;
  const [g] = ir.gradients(loss, [m]);
  const [first, second] = [ir.state('first', [6, 6]), ir.state('second', [6, 6])];
  const [one, two] = [
    ir.add(ir.mul(first, 0.9), ir.mul(g, 0.1)),
    ir.add(ir.mul(second, 0.99), ir.mul(ir.square(g), 0.01)),
  ];
  return {
    outputs: { loss },
    updates: { first: one, second: two, m: ir.sub(m, ir.mul(ir.div(one, ir.add(ir.sqrt(two), 1e-3)), 0.01)) },
  };
}

/** Hazards fused and not; sharing; reading and writing. */
export function stateTests({ describe, test, backend }: Suite): void {
  describe('state', () => {
    for (const [name, parts] of Object.entries(hazards)) {
      test(
        name,
        async () => {
          const g = ir.graph(name, parts);
          const given = { ...('x' in g.inputs && { x: noise([6], { seed: 9 }) }) };
          for (const fuse of [true, false])
            await checkGraph(g, await backend(), { inputs: given, state: values, runs: 3, compile: { fuse } });
        },
        60_000,
      );
    }

    test('a cache of keys that grows by as many tokens as there are, and is read as far as it is filled', async () => {
      const [heads, longest, size] = [2, 9, 3];
      const cache = ir.state('cache', [heads, longest, size]);
      const [keys, query] = [ir.input('keys', [heads, 'n', size]), ir.input('query', [heads, 'filled'])];
      const at = ir.input('at', [1], 'i32') as Tensor<readonly [1], 'i32'>;
      const none = ir.full([1], 0, 'i32');
      const updated = ir.updateSlice(cache, ir.neg(keys), ir.concat([none, at, none]));
      const filled = ir.slice(updated, { starts: [0, 0, 0], ends: [heads, 'filled', size] });
      const g = ir.graph('cache', {
        outputs: { y: ir.contract('hk,hkd->hd', query, filled) },
        updates: { cache: updated },
      });
      await withProgram(g, await backend(), {}, async (program) => {
        for (const [n, first] of [
          [4, 0],
          [1, 4],
          [1, 8],
          [3, -1],
          [5, 7],
          [2, 90],
        ] as const)
          await checkProgram(g, program, {
            inputs: {
              keys: noise([heads, n, size], { seed: n }),
              query: noise([heads, Math.max(1, Math.min(longest, first + n))], { seed: 3 }),
              at: { data: Int32Array.of(first), shape: [1] },
            },
            state: { cache: noise([heads, longest, size], { seed: 5 }) },
          });
        const [keysGiven, query10] = [noise([heads, 1, size]), noise([heads, longest + 1])];
        const late = { data: Int32Array.of(longest), shape: [1] };
        await rejects(
          'more than the cache holds',
          () => program.run({ keys: keysGiven, query: query10, at: late }),
          'ShapeError',
          "'filled' is 10",
        );
      });
    });

    test('begins as zeros, is read as a copy, and is written whole or not at all', async () => {
      await withProgram(ir.graph('state', { updates: { a: ir.add(a, x) } }), await backend(), {}, async ({ state }) => {
        assert(
          (await state.read('a')).every((v) => v === 0),
          'new state is not zero',
        );
        const copy = await state.read('a');
        copy.fill(7);
        assert(
          (await state.read('a')).every((v) => v === 0),
          'what was read is the state itself',
        );
        await state.write('a', Float32Array.of(1, 2, 3, 4, 5, 6));
        assert((await state.read('a'))[5] === 6, 'what was written is not read');
        await rejects('too short', () => state.write('a', new Float32Array(5)), 'BackendError', "state 'a'");
        await rejects('another dtype', () => state.write('a', new Int32Array(6)), 'BackendError', "state 'a'");
        await rejects('unknown, read', () => state.read('z'), 'BackendError', "'z'");
        await rejects('unknown, written', () => state.write('z', new Float32Array(6)), 'BackendError', "'z'");
        assert(
          state.ports['a']?.dtype === 'f32' && state.ports['a'].shape.join() === '6',
          'ports say nothing of the state',
        );
      });
    });

    test('is written in pieces, which must lie inside', async () => {
      await withProgram(ir.graph('pieces', { updates: { m: ir.mul(m, 2) } }), await backend(), {}, async (program) => {
        const { state } = program;
        const whole = values['m']!.data;
        for (const [from, to] of [
          [7, 36],
          [0, 5],
          [5, 7],
          [3, 3],
        ] as const)
          await state.write('m', whole.slice(from, to), from);
        sameBits('a state that was written in pieces', await state.read('m'), whole);
        for (const at of [-1, 36, 35.5, NaN])
          await rejects(`at ${at}`, () => state.write('m', new Float32Array(1), at), 'BackendError', "state 'm'");
        await rejects('dtype', () => state.write('m', new Uint8Array(1), 0), 'BackendError', "state 'm'");
        await program.run();
        assert((await state.read('m'))[35] === 2 * whole[35]!, 'a run does not see what was written');
      });
    });

    test('runs of one program that overlap follow each other', async () => {
      await withProgram(
        ir.graph('counter', { outputs: { before: a }, updates: { a: ir.add(a, x) } }),
        await backend(),
        {},
        async (program) => {
          const given = { data: new Float32Array(6).fill(1), shape: [6] };
          const results = await Promise.all(Array.from({ length: 5 }, () => program.run({ x: given })));
          results.forEach(({ before }, i) => {
            assert(before!.data[0] === i, `run ${i} saw ${before!.data[0]}`);
          });
          assert((await program.state.read('a'))[0] === 5, 'a run was lost');
        },
      );
    });

    test('programs that share state see each other, and it outlives the first of them', async () => {
      const on = await backend();
      const write = ir.graph('write', {
        outputs: { old: ir.sum(ir.add(a, b)) },
        updates: { a: ir.add(ir.mul(a, 0.5), x), b: ir.neg(a) },
      });
      const read = ir.graph('read', { outputs: { product: ir.matmul(m, a), b } });
      const writer = await compile(write, on);
      const reader = await compile(read, on, { state: writer.state });
      try {
        await reader.state.write('m', values['m']!.data);
        await writer.state.write('a', values['a']!.data);
        let state: Record<string, ir.TensorData> = { a: values['a']!, b: { data: new Float32Array(6), shape: [6] } };
        const given = noise([6], { seed: 3 });
        for (let i = 0; i < 3; i++) {
          const wanted = ir.evaluate(write, { x: given }, state);
          const [found, seen] = await Promise.all([writer.run({ x: given }), reader.run()]);
          compareAll(write, write.outputs, found, wanted.outputs, { scale: 1 });
          state = { ...state, ...wanted.updates };
          compareAll(read, read.outputs, seen, ir.evaluate(read, {}, { m: values['m']!, ...state }).outputs, {
            scale: 1,
          });
        }
        await rejects(
          'another shape',
          async () => compile(ir.graph('other', { outputs: { a: ir.state('a', [7]) } }), on, { state: writer.state }),
          'BackendError',
          "'a'",
        );
        writer.close();
        await writer[Symbol.asyncDispose]();
        compareAll(
          read,
          read.outputs,
          await reader.run(),
          ir.evaluate(read, {}, { m: values['m']!, ...state }).outputs,
          { scale: 1 },
        );
      } finally {
        writer.close();
        reader.close();
        await reader[Symbol.asyncDispose]();
      }
    }, 60_000);

    test('what is made of state beforehand follows it: written whole, in pieces, and changed by another program', async () => {
      const on = await backend();
      const [rows, v, w] = [ir.input('rows', ['n', 20]), ir.state('v', [20, 30]), ir.state('w', [30, 20])];
      // Weights that this program does not change: packed, transposed, and with arithmetic of their own.
      const hidden = ir.gelu(ir.matmul(rows, ir.mul(ir.add(ir.matmul(v, w), 1), 0.1)) as Tensor);
      const y = ir.matmul(hidden, ir.softmax(v)) as Tensor;
      const forward = ir.graph('forward', { outputs: { y } });
      const loss = ir.mean(ir.square(y)) as Tensor;
      const [dv] = ir.gradients(loss, [v]);
      const step = ir.graph('step', { outputs: { loss }, updates: { v: ir.sub(v, ir.mul(dv!, 0.5)) } });

      const predictor = await compile(forward, on);
      const trainer = await compile(step, on, { state: predictor.state });
      const given = { rows: noise([5, 20], { seed: 7 }) };
      let state = completeState(forward);
      const check = async (what: string): Promise<void> => {
        const scale = scaleOf(forward, given, state);
        const wanted = ir.evaluate(forward, given, state);
        for (let run = 0; run < 2; run++)
          compareAll(forward, forward.outputs, await predictor.run(given), wanted.outputs, { scale, what });
        await withProgram(forward, on, {}, async (fresh) => {
          for (const [name, { data }] of Object.entries(state)) await fresh.state.write(name, data);
          sameBits(what, (await predictor.run(given))['y']!.data, (await fresh.run(given))['y']!.data);
        });
      };
      const write = async (name: string, data: ir.Data, at?: number): Promise<void> => {
        await trainer.state.write(name, data, at);
        state[name]!.data.set(data as Float32Array, at);
      };
      try {
        await check('nothing written');
        await write('v', noise([20, 30], { seed: 1 }).data);
        await check('one of two written');
        await write('w', noise([30, 20], { seed: 2 }).data);
        await check('both written');
        await write('w', noise([7], { seed: 3 }).data, 590);
        await check('the end of one written');
        for (let i = 0; i < 2; i++) {
          await trainer.run(given);
          state = { ...state, v: { data: await trainer.state.read('v'), shape: [20, 30] } };
          await check(`trained ${i + 1}`);
        }
        const [run, later] = [predictor.run(given), noise([20, 30], { seed: 9 })];
        await Promise.all([run, write('v', later.data)]);
        await check('written while it runs');
        trainer.close();
        await trainer[Symbol.asyncDispose]();
        await check('after the end of the other');
      } finally {
        for (const program of [trainer, predictor]) program.close();
        await predictor[Symbol.asyncDispose]();
      }
    }, 60_000);
  });
}
