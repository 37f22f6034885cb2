/* Another wall clock for one process, preloaded into it: that of the machine, set by so many seconds as the file named by
 * WALL_CLOCK says (a signed number of eight bytes, in the order of the machine). Its monotonic clocks are the machine's. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

typedef int (*clock_function)(clockid_t, struct timespec *);

static clock_function real_clock;
static const _Atomic int64_t *set_by;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("WALL_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *set_by, PROT_READ, MAP_SHARED, fd, 0);
    /* Without it a test would believe in a clock that nobody set. */
    if (page == MAP_FAILED)
        abort();
    set_by = page;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    if (!real_clock)
        real_clock = (clock_function)dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real_clock(which, now);
    if (!failed && set_by && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        now->tv_sec += atomic_load_explicit(set_by, memory_order_relaxed);
    return failed;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
