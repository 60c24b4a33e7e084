/* What a machine can do, on as many threads as the argument says: fused multiply-adds with vectors of 128 bits and with the widest
 * there are, and memory traffic over arrays that no cache holds, and over some of 16 MiB. Prints JSON; the best of several tries. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
#define WIDE 64
#elif defined(__AVX__)
#define WIDE 32
#else
#define WIDE 16
#endif

typedef float narrow __attribute__((vector_size(16)));
typedef float wide __attribute__((vector_size(WIDE)));

enum { ACCUMULATORS = 12, TRIES = 9, ROUNDS = 2000000, MOST_THREADS = 64 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static volatile float sink, factor = 0.999f;

/* Twelve chains that do not wait for each other: two pipes of four cycles need eight. */
#define CHAINS(vector)                                                                  \
  static void chains_##vector(void) {                                                   \
    vector sum[ACCUMULATORS], a = (vector){} + factor, b = (vector){} + factor;         \
    for (int i = 0; i < ACCUMULATORS; i++) sum[i] = a * (float)i;                       \
    for (long round = 0; round < ROUNDS; round++) {                                     \
      _Pragma("GCC unroll 12") for (int i = 0; i < ACCUMULATORS; i++) sum[i] = sum[i] * a + b; \
    }                                                                                   \
    for (int i = 1; i < ACCUMULATORS; i++) sum[0] += sum[i];                            \
    sink = sum[0][0];                                                                   \
  }
CHAINS(narrow)
CHAINS(wide)

static float *a, *b, *c;
static long length; /* floats of an array */

static void read_all(long from, long to) {
  wide sum[8] = {{0}};
  for (long i = from; i < to; i += 8 * WIDE / 4)
    for (int j = 0; j < 8; j++) sum[j] += *(wide *)(a + i + j * (WIDE / 4));
  for (int j = 1; j < 8; j++) sum[0] += sum[j];
  sink = sum[0][0];
}

static void copy_all(long from, long to) {
  for (long i = from; i < to; i += WIDE / 4) *(wide *)(b + i) = *(wide *)(a + i) * 1.5f;
}

/* The library's copy goes past the caches where it is long. */
static void copy_past(long from, long to) { memcpy(b + from, a + from, (to - from) * 4); }

static void triad_all(long from, long to) {
  for (long i = from; i < to; i += WIDE / 4) *(wide *)(c + i) = *(wide *)(a + i) * 1.5f + *(wide *)(b + i);
}

static void narrow_chains(long from, long to) { (void)from, (void)to, chains_narrow(); }
static void wide_chains(long from, long to) { (void)from, (void)to, chains_wide(); }

static int threads;
static void (*task)(long from, long to);
static pthread_barrier_t barrier;

static void share(int thread) {
  long blocks = length / 4096;
  pthread_barrier_wait(&barrier);
  task(blocks * thread / threads * 4096, blocks * (thread + 1) / threads * 4096);
  pthread_barrier_wait(&barrier);
}

static void *worker(void *thread) {
  for (;;) share((int)(long)thread);
  return NULL;
}

/* Seconds of the best try. */
static double best(void (*what)(long, long), long size) {
  double least = 1e9;
  task = what, length = size;
  for (int i = 0; i < TRIES; i++) {
    double start = now();
    share(0);
    double took = now() - start;
    if (took < least) least = took;
  }
  return least;
}

static double larger(double x, double y) { return x > y ? x : y; }

int main(int count, char **arguments) {
  threads = count > 1 ? atoi(arguments[1]) : 1;
  if (threads < 1 || threads > MOST_THREADS) return 1;
  const long large = 48L << 20, small = 4L << 20; /* 192 and 16 MiB */
  float **arrays[] = {&a, &b, &c};
  for (int i = 0; i < 3; i++) {
    if (posix_memalign((void **)arrays[i], 4096, large * 4)) return 1;
    memset(*arrays[i], 0, large * 4);
  }
  pthread_barrier_init(&barrier, NULL, threads);
  for (long thread = 1; thread < threads; thread++) {
    pthread_t id;
    pthread_create(&id, NULL, worker, (void *)thread);
  }
  const double chain = 2.0 * ACCUMULATORS * ROUNDS * threads / 1e9, array = large * 4 / 1e9, part = small * 4 / 1e9;
  printf("{\"vector_bits\": %d, ", WIDE * 8);
  printf("\"fma_128_gflops\": %.1f, ", chain * 4 / best(narrow_chains, 4096));
  printf("\"fma_gflops\": %.1f, ", chain * (WIDE / 4) / best(wide_chains, 4096));
  printf("\"read_gbs\": %.1f, ", array / best(read_all, large));
  printf("\"copy_gbs\": %.1f, ", larger(2 * array / best(copy_all, large), 2 * array / best(copy_past, large)));
  printf("\"triad_gbs\": %.1f, ", 3 * array / best(triad_all, large));
  printf("\"read_16mib_gbs\": %.1f, ", part / best(read_all, small));
  printf("\"copy_16mib_gbs\": %.1f}\n", larger(2 * part / best(copy_all, small), 2 * part / best(copy_past, small)));
  return 0;
}
