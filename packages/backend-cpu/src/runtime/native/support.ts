/**
 * The C that is compiled together with a program's kernels: threads, the walk over the steps, memory. Threads meet at a
 * central barrier (Mellor-Crummey and Scott 1991); who waits looks for some microseconds and then sleeps.
 */

/** The source of a library: that of kernels of at most `mostBuffers` buffers, and behind it, in the part that has their table, what runs them. */
export function librarySource(kernels: string, mostBuffers: number): string {
  return `${kernels}\n#define MOST_BUFFERS ${Math.max(1, mostBuffers)}\n${supportSource}`;
}

const supportSource = `
#if PART == 0
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))
#define CACHE_LINE __attribute__((aligned(64)))

// A number that threads wait for: awake for a while, then asleep.
struct word {
  _Atomic(u32) value CACHE_LINE;
  _Atomic(i32) sleepers;
  pthread_mutex_t lock;
  pthread_cond_t moved;
};

static void word_start(struct word *w) {
  atomic_init(&w->value, 0);
  atomic_init(&w->sleepers, 0);
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->moved, NULL);
}

static void word_end(struct word *w) {
  pthread_mutex_destroy(&w->lock);
  pthread_cond_destroy(&w->moved);
}

static void word_wait(struct word *w, u32 old, i32 looks) {
  for (i32 i = 0; i < looks; i++) {
    if (atomic_load_explicit(&w->value, memory_order_acquire) != old) return;
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
  }
  pthread_mutex_lock(&w->lock);
  atomic_fetch_add(&w->sleepers, 1);
  while (atomic_load(&w->value) == old) pthread_cond_wait(&w->moved, &w->lock);
  atomic_fetch_sub(&w->sleepers, 1);
  pthread_mutex_unlock(&w->lock);
}

// A sleeper counts itself before it looks for the last time, so either it sees the new value or it is seen here.
static void word_move(struct word *w) {
  atomic_fetch_add(&w->value, 1);
  if (atomic_load(&w->sleepers) == 0) return;
  pthread_mutex_lock(&w->lock);
  pthread_cond_broadcast(&w->moved);
  pthread_mutex_unlock(&w->lock);
}

// One run of a program. A step is its kernel, how many buffers it has, and their numbers.
struct run {
  kernel *const *kernels;
  const i32 *steps;
  i32 count;
  void *const *addresses;
  const i32 *dims;
  _Atomic(i32) *taken;
  idx stride;
  double *times;
  i32 most_buffers;
};

struct member {
  struct pool *pool;
  i32 thread;
  pthread_t id;
};

struct pool {
  struct word go, done, passed;
  _Atomic(i32) arrived CACHE_LINE;
  _Atomic(i32) finished CACHE_LINE;
  const struct run *run;
  i32 threads, looks, stop;
  struct member members[];
};

static void barrier(struct pool *p) {
  if (p->threads == 1) return;
  u32 now = atomic_load(&p->passed.value);
  if (atomic_fetch_add(&p->arrived, 1) + 1 == p->threads) {
    atomic_store(&p->arrived, 0);
    word_move(&p->passed);
  } else {
    word_wait(&p->passed, now, p->looks);
  }
}

static double milliseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void walk(struct pool *p, const struct run *r, i32 thread) {
  // The threads may be those of another module, whose kernels have fewer buffers.
  void *b[r->most_buffers];
  struct crew c = {.stride = r->stride, .thread = thread, .threads = p->threads};
  const i32 *step = r->steps;
  int timed = thread == 0 && r->times != NULL;
  if (timed) r->times[0] = milliseconds();
  for (i32 i = 0; i < r->count; i++) {
    i32 buffers = step[1];
    for (i32 j = 0; j < buffers; j++) b[j] = r->addresses[step[2 + j]];
    c.taken = r->taken + i;
    r->kernels[step[0]](b, r->dims, &c);
    barrier(p);
    if (timed) r->times[i + 1] = milliseconds();
    step += 2 + buffers;
  }
}

static void *serve(void *arg) {
  struct member *me = arg;
  struct pool *p = me->pool;
  for (u32 seen = 0;; seen++) {
    word_wait(&p->go, seen, p->looks);
    if (p->stop) return NULL;
    walk(p, p->run, me->thread);
    if (atomic_fetch_add(&p->finished, 1) + 1 == p->threads) word_move(&p->done);
  }
}

EXPORT void sinter_end_pool(struct pool *p) {
  p->stop = 1;
  word_move(&p->go);
  for (i32 i = 0; i < p->threads; i++) pthread_join(p->members[i].id, NULL);
  word_end(&p->go);
  word_end(&p->done);
  word_end(&p->passed);
  free(p);
}

// Threads with signals blocked: those are for the host. NULL if the system gives no threads.
EXPORT struct pool *sinter_new_pool(i32 threads, i32 looks) {
  size_t bytes = sizeof(struct pool) + (size_t)threads * sizeof(struct member);
  void *memory = NULL;
  if (posix_memalign(&memory, 64, (bytes + 63) / 64 * 64) != 0) return NULL;
  struct pool *p = memory;
  memset(p, 0, bytes);
  word_start(&p->go);
  word_start(&p->done);
  word_start(&p->passed);
  p->looks = looks;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t large;
  pthread_attr_init(&large);
  pthread_attr_setstacksize(&large, 16 << 20);
  int failed = 0;
  for (i32 i = 0; i < threads && !failed; i++) {
    p->members[i] = (struct member){.pool = p, .thread = i};
    failed = pthread_create(&p->members[i].id, &large, serve, &p->members[i]);
    if (!failed) p->threads = i + 1;
  }
  pthread_attr_destroy(&large);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!failed) return p;
  sinter_end_pool(p);
  return NULL;
}

// Runs a program of this module on a pool, which may be another module's. 0 if there is no memory for it.
EXPORT i32 sinter_run(struct pool *p, const i32 *steps, i32 count, void *const *addresses, const i32 *dims, double *times) {
  // The counters of different threads lie on different cache lines.
  idx stride = (count + 15) / 16 * 16;
  _Atomic(i32) *taken = NULL;
  size_t bytes = (size_t)p->threads * (size_t)(stride + 16) * sizeof *taken;
  if (posix_memalign((void **)&taken, 64, bytes) != 0) return 0;
  memset((void *)taken, 0, bytes);
  struct run r = {sinter_kernels, steps, count, addresses, dims, taken, stride, times, MOST_BUFFERS};
  p->run = &r;
  atomic_store(&p->finished, 0);
  u32 before = atomic_load(&p->done.value);
  word_move(&p->go);
  word_wait(&p->done, before, 0);
  free((void *)taken);
  return 1;
}

// Zeros, on pages of their own. 0 if there are none left.
EXPORT void *sinter_allocate(uint64_t bytes) {
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return NULL;
#if defined(MADV_HUGEPAGE)
  if (bytes >= (uint64_t)4 << 20) madvise(p, bytes, MADV_HUGEPAGE);
#endif
  return p;
}

EXPORT void sinter_free(void *p, uint64_t bytes) { munmap(p, bytes); }

EXPORT void *sinter_address(void *p) { return p; }

EXPORT void sinter_copy(void *to, const void *from, uint64_t bytes) { memcpy(to, from, bytes); }
#endif
`;
