/**
 * Random order of a dataset, number for number that of `torch.randperm` with a seeded generator on the CPU: a Mersenne
 * Twister (Matsumoto and Nishimura, "Mersenne Twister", 1998) and a shuffle from the front.
 */

/** MT19937: a function that gives the next 32 bits. */
export function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) {
    const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(before, 1812433253) + i;
  }
  let at = 624;
  const twist = (): void => {
    for (let i = 0; i < 624; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % 624]! & 0x7fffffff);
      state[i] = state[(i + 397) % 624]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    at = 0;
  };
  return () => {
    if (at === 624) twist();
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/** The numbers from 0 to `n − 1` in an order that `seed` decides. */
export function permutation(n: number, seed: number): number[] {
  const next = mersenneTwister(seed);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n - 1; i++) {
    const j = i + (next() % (n - i));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
