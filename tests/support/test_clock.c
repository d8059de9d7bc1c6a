/*
 * libtestclock.so: lets a test set the time that a program reads.
 *
 *   LD_PRELOAD=libtestclock.so TEST_CLOCK_FILE=/tmp/x/clock concurrencyd ...
 *
 * The file named by TEST_CLOCK_FILE holds a `struct test_clock` in the machine's own byte order. It is
 * mapped once, when the program starts, and read again at each call: what a test writes there is what the
 * program sees at its next look at the clock. Several programs may share one file.
 *
 * These clocks are controlled, independently of each other:
 *   boot   CLOCK_BOOTTIME                      the steady clock that leases run on
 *   wall   CLOCK_REALTIME, CLOCK_REALTIME_COARSE, gettimeofday(), time()
 *
 *   awake  CLOCK_MONOTONIC_COARSE              the boot clock less the time asleep: suspend, as the daemon tells it
 *
 * Where TEST_CLOCK_STEP_MS is set, a frozen boot clock goes on by so much each time it is read: what takes a moment
 * takes long then.
 *
 * And where TEST_BOOT_ID_FILE names a file, that is read, by fopen() and thus by C++ streams, whenever the program
 * opens /proc/sys/kernel/random/boot_id: another id, with a boot clock that begins anew, is another boot.
 *
 * CLOCK_MONOTONIC and all timers, sleeps and timed waits stay real, so the program's event loop keeps turning
 * while its time stands still. Not covered: timers that the kernel runs on the boot or wall clock
 * (timerfd, clock_nanosleep, condition variables waiting on CLOCK_REALTIME), and timespec_get().
 *
 * Why the calls go straight to the kernel: the sanitizers read the clock while they are being set up, when
 * dlsym() and the C library's own entry points (which they intercept) cannot be used yet. For the same reason
 * the file is mapped by a constructor and not at the first call; until then the time is the real one.
 *
 * A program linked against AddressSanitizer insists on being the first library of all: start it with
 * ASAN_OPTIONS=verify_asan_link_order=0 in the environment. This library allocates nothing, so the order is harmless.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#if !defined(__LP64__)
#error "written for 64-bit machines, where a syscall's timespec is the C library's timespec"
#endif

/* Visible even where the build hides symbols by default. */
#define EXPORT __attribute__((visibility("default")))

enum { MODE_REAL_PLUS_OFFSET = 0, MODE_FROZEN = 1 };

/* The frozen values and the offsets are apart so that changing `mode`, one store, switches both clocks
 * without a moment at which an offset could be taken for a time. */
struct test_clock {
  int64_t mode;
  int64_t frozen_boot_ns;
  int64_t frozen_wall_ns;
  int64_t boot_offset_ns;
  int64_t wall_offset_ns;
  int64_t asleep_ns;
};

static const struct test_clock* shared_clock;
static int64_t step_ns;  /* of a frozen boot clock, for each reading */
static int64_t stepped_ns;

static _Noreturn void give_up(const char* what) {
  /* Going on with the real time would let a test pass for the wrong reason. */
  static const char prefix[] = "libtestclock: cannot use ";
  ssize_t ignored = write(STDERR_FILENO, prefix, sizeof prefix - 1);
  ignored = write(STDERR_FILENO, what, strlen(what));
  ignored = write(STDERR_FILENO, "\n", 1);
  (void)ignored;
  _exit(99);
}

__attribute__((constructor)) static void map_clock_file(void) {
  const char* path = getenv("TEST_CLOCK_FILE");
  if (path == NULL) return;
  const char* step = getenv("TEST_CLOCK_STEP_MS");
  if (step != NULL) step_ns = atoll(step) * 1000000;
  long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) give_up("TEST_CLOCK_FILE: it cannot be opened");
  if (syscall(SYS_lseek, fd, 0L, SEEK_END) < (long)sizeof(struct test_clock)) give_up("TEST_CLOCK_FILE: it is too short");
  long address = syscall(SYS_mmap, NULL, sizeof(struct test_clock), PROT_READ, MAP_SHARED, fd, 0L);
  syscall(SYS_close, fd);
  if (address == -1) give_up("TEST_CLOCK_FILE: it cannot be mapped");
  __atomic_store_n(&shared_clock, (const struct test_clock*)address, __ATOMIC_RELEASE);
}

static int is_wall(clockid_t id) { return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE; }

static int64_t load(const int64_t* field) { return __atomic_load_n(field, __ATOMIC_ACQUIRE); }

static int read_clock(clockid_t id, struct timespec* out) {
  const int64_t ns_per_s = 1000000000;
  const struct test_clock* clock = __atomic_load_n(&shared_clock, __ATOMIC_ACQUIRE);
  const int wall = is_wall(id);
  const int awake = id == CLOCK_MONOTONIC_COARSE;
  if (clock == NULL || (!wall && !awake && id != CLOCK_BOOTTIME)) return (int)syscall(SYS_clock_gettime, id, out);

  int64_t ns;
  if (load(&clock->mode) == MODE_FROZEN) {
    ns = load(wall ? &clock->frozen_wall_ns : &clock->frozen_boot_ns);
    if (id == CLOCK_BOOTTIME) ns += __atomic_add_fetch(&stepped_ns, step_ns, __ATOMIC_RELAXED);
    if (awake) ns += load(&stepped_ns);
  } else {
    struct timespec real;
    if (syscall(SYS_clock_gettime, id, &real) != 0) return -1;
    ns = real.tv_sec * ns_per_s + real.tv_nsec + load(wall ? &clock->wall_offset_ns : &clock->boot_offset_ns);
  }
  if (awake) ns -= load(&clock->asleep_ns);
  int64_t seconds = ns / ns_per_s;
  int64_t rest = ns % ns_per_s;
  if (rest < 0) {
    seconds -= 1;
    rest += ns_per_s;
  }
  out->tv_sec = seconds;
  out->tv_nsec = rest;
  return 0;
}

EXPORT int clock_gettime(clockid_t id, struct timespec* out) { return read_clock(id, out); }

EXPORT int gettimeofday(struct timeval* restrict out, void* restrict zone) {
  struct timespec now;
  if (zone != NULL) memset(zone, 0, sizeof(struct timezone));
  if (read_clock(CLOCK_REALTIME, &now) != 0) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

EXPORT time_t time(time_t* out) {
  struct timespec now;
  if (read_clock(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

typedef FILE* (*open_stream)(const char* path, const char* mode);

static FILE* open_as_told(const char* function, const char* path, const char* mode) {
  open_stream next;
  void* found = dlsym(RTLD_NEXT, function);
  if (found == NULL) give_up(function);
  memcpy(&next, &found, sizeof next);
  const char* boot_id = getenv("TEST_BOOT_ID_FILE");
  if (boot_id == NULL || strcmp(path, "/proc/sys/kernel/random/boot_id") != 0) return next(path, mode);
  FILE* file = next(boot_id, mode);
  if (file == NULL) give_up("TEST_BOOT_ID_FILE: it cannot be opened");
  return file;
}

EXPORT FILE* fopen(const char* restrict path, const char* restrict mode) { return open_as_told("fopen", path, mode); }

EXPORT FILE* fopen64(const char* restrict path, const char* restrict mode) { return open_as_told("fopen64", path, mode); }
