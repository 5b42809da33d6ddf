/* What a contestant is: a producer, opened from properties, with records going in and reports coming out. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>
#include <stdint.h>

#define REPORTS_AT_A_TIME 1024
#define POLL_MS 100
#define PATIENCE_MS 300000

struct property {
    const char *name;
    const char *value;
};

struct options {
    const char *bootstrap;
    const char *topic;
    size_t value_size;
    uint64_t records;
    uint64_t warmup;
    uint64_t senders;
    const struct property *properties;
    size_t property_count;
};

const char *contestant_version(void);
void contestant_open(const struct options *options);
/* Sends count records, one call each; waits where the producer takes no more. Runs in several threads at once. */
void contestant_send(const uint8_t *value, size_t value_size, uint64_t count);
/* Takes up to REPORTS_AT_A_TIME reports, waiting for the first up to POLL_MS. A report of a failure ends the run. */
uint64_t contestant_poll(void);
/* Until everything sent has its outcome. */
void contestant_flush(void);
void contestant_close(void);

/* What an application does that is told to come back later. */
void nap(void);

#endif
