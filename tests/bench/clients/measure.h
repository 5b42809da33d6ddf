/* What a stretch of a client's work cost: time by the clock and processor time of all its threads. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>

struct mark {
    int64_t wall_ns;
    int64_t user_ns;
    int64_t system_ns;
    int64_t switches;
};

struct mark measure_now(void);

/* The one line that the harness reads: what `records` cost, of a `total` that has the warm-up in it. */
void measure_print(struct mark begin, struct mark end, const char *version, uint64_t records,
                   uint64_t total);

void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* A number given as text; anything else ends the program. */
uint64_t number(const char *text);

#endif
