import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Event, Metadata, Tensor, Value } from './event.ts';
import { decodeEvent, encodeEvent } from './proto.ts';

const word = fc.string({ minLength: 1, unit: 'grapheme' });
const bytes = fc.uint8Array({ maxLength: 40 });

const metadata: fc.Arbitrary<Metadata> = fc.record(
  {
    plugin: word,
    content: fc.uint8Array({ minLength: 1, maxLength: 20 }),
    displayName: word,
    description: word,
    dataClass: fc.constantFrom('scalar', 'tensor', 'blobs'),
  },
  { requiredKeys: ['plugin'] },
);

const numbers = {
  float: fc.float(),
  double: fc.double(),
  int32: fc.integer(),
  uint8: fc.nat(255),
  int64: fc.maxSafeInteger(),
  bool: fc.nat(1),
};

const tensor: fc.Arbitrary<Tensor> = fc.oneof(
  ...Object.entries(numbers).map(([dtype, number]) =>
    fc
      .array(number, { maxLength: 12 })
      .map((values) => ({ dtype: dtype as 'float', shape: [values.length, 1], values })),
  ),
  fc.array(bytes, { maxLength: 5 }).map((values) => ({ dtype: 'string' as const, shape: [values.length], values })),
  bytes.map((value) => ({ dtype: 'string' as const, shape: [], values: [value] })),
);

const value: fc.Arbitrary<Value> = fc.record(
  { tag: word, metadata, simpleValue: fc.float(), tensor },
  { requiredKeys: ['tag'] },
);

const base = { wallTime: fc.double({ noNaN: true }), step: fc.maxSafeInteger() };
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ ...base, kind: fc.constant('version' as const), version: word, writer: word }),
  fc.record({ ...base, kind: fc.constant('summary' as const), values: fc.array(value, { maxLength: 4 }) }),
  fc.record({ ...base, kind: fc.constant('graph' as const), graphDef: bytes }),
  fc.record({ ...base, kind: fc.constant('other' as const) }),
);

/** Typed arrays as plain ones, and minus zero of a step as zero, so that only values are compared. */
function plain(e: Event): unknown {
  const step = e.step + 0;
  if (e.kind !== 'summary') return { ...e, step };
  return {
    ...e,
    step,
    values: e.values.map((v) =>
      v.tensor ? { ...v, tensor: { ...v.tensor, values: Array.from<unknown>(v.tensor.values) } } : v,
    ),
  };
}

test('what is encoded is decoded', () => {
  fc.assert(
    fc.property(event, (e) => {
      expect(plain(decodeEvent(encodeEvent(e)))).toEqual(plain(e));
    }),
    { numRuns: 500 },
  );
});

test('the bytes of a scalar event, field by field', () => {
  const encoded = encodeEvent({ kind: 'summary', wallTime: 1, step: 300, values: [{ tag: 'a', simpleValue: 0.5 }] });
  expect(Buffer.from(encoded).toString('hex')).toBe(
    '09000000000000f03f' + // wall_time (1): double
      '10ac02' + // step (2): varint 300
      '2a0a' + // summary (5), 10 bytes
      '0a08' + // value (1), 8 bytes
      '0a0161' + // tag (1): "a"
      '150000003f', // simple_value (2): float
  );
});

test('values of the field-by-field form of tensors, with the last one repeated', () => {
  // Event{summary{value{tag: "x", tensor{dtype: DT_FLOAT, tensor_shape{dim{size: 3}}, float_val: [0.5, 2]}}}}
  const floats = Buffer.from('0801' + '12041202' + '0803' + '2a080000003f00000040', 'hex');
  const field = (tag: number, content: Uint8Array) => Buffer.concat([Buffer.of(tag, content.length), content]);
  const bytes = field(0x2a, field(0x0a, Buffer.concat([field(0x0a, Buffer.from('x')), field(0x42, floats)])));
  expect(decodeEvent(bytes)).toMatchObject({
    values: [{ tag: 'x', tensor: { dtype: 'float', shape: [3], values: [0.5, 2, 2] } }],
  });
});

test('rubbish is an event or an Error, soon', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), event, fc.nat(), (rubbish, e, place) => {
      const damaged = encodeEvent(e).slice();
      damaged.set(rubbish.subarray(0, 3).subarray(0, damaged.length), place % Math.max(1, damaged.length - 3));
      for (const bytes of [rubbish, damaged]) {
        try {
          decodeEvent(bytes);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(Error);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('a shape that asks for all memory is refused', () => {
  const values: Value[] = [{ tag: 'x', tensor: { dtype: 'string', shape: [2 ** 40], values: [Uint8Array.of(1)] } }];
  expect(() => decodeEvent(encodeEvent({ kind: 'summary', wallTime: 0, step: 0, values }))).toThrow('holds 1');
});
