/* What a stretch of a client's work cost: time by the clock and processor time of all its threads. */
#include "measure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static int64_t of_timeval(struct timeval t) { return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000; }

struct mark measure_now(void) {
    struct timespec now;
    struct rusage usage;
    clock_gettime(CLOCK_MONOTONIC, &now);
    getrusage(RUSAGE_SELF, &usage);
    return (struct mark){
        .wall_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
        .user_ns = of_timeval(usage.ru_utime),
        .system_ns = of_timeval(usage.ru_stime),
        .switches = usage.ru_nvcsw + usage.ru_nivcsw,
    };
}

void measure_print(struct mark begin, struct mark end, const char *version, uint64_t records,
                   uint64_t total) {
    printf("version=%s records=%llu total=%llu wall_ns=%lld user_ns=%lld system_ns=%lld switches=%lld\n", version,
           (unsigned long long)records, (unsigned long long)total, (long long)(end.wall_ns - begin.wall_ns),
           (long long)(end.user_ns - begin.user_ns), (long long)(end.system_ns - begin.system_ns),
           (long long)(end.switches - begin.switches));
}

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

uint64_t number(const char *text) {
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != 0) fail("not a number: %s", text);
    return value;
}
