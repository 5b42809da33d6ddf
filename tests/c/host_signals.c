/* A host with signal handlers and a profiling timer: its calls are interrupted all the time, its handlers run on its
 * own threads alone, and they are as it left them. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"

enum { HANDLED = 3 };
static const int handled[HANDLED] = {SIGUSR1, SIGPROF, SIGPIPE};

static _Thread_local int is_host; /* of a thread of this program */
static atomic_int seen[HANDLED], elsewhere, finished;

static void on_signal(int number)
{
    if (!is_host)
        atomic_fetch_add(&elsewhere, 1);
    for (int i = 0; i < HANDLED; i++)
        if (handled[i] == number)
            atomic_fetch_add(&seen[i], 1);
}

/* Any thread that lets it may get it. */
static void *interrupt(void *mask)
{
    is_host = 1;
    CHECK(pthread_sigmask(SIG_SETMASK, mask, NULL) == 0);
    while (!atomic_load(&finished)) {
        CHECK(kill(getpid(), SIGUSR1) == 0);
        usleep(200);
    }
    return NULL;
}

static void send_and_poll(kprod_producer_t *producer)
{
    kprod_delivery_t report;
    kprod_record_t record = record_with_value(topic(producer, "signals"), "v");
    for (int i = 0; i < 50; i++) {
        CHECK_CODE(0, kprod_send_wait(producer, &record, 10000, &report));
        CHECK_CODE(0, report.error);
        CHECK_CODE(0, kprod_send(producer, &record));
        CHECK_CODE(0, kprod_flush(producer, 10000, NULL));
        CHECK_CODE(1, kprod_poll(producer, &report, 1, 10000));
        CHECK_CODE(0, report.error);
        CHECK_CODE(0, kprod_poll(producer, &report, 1, 5)); /* an interruption is no report and no error */
    }
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal}, now; /* without SA_RESTART */
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    pthread_t thread;
    sigset_t all, mask;
    is_host = 1;
    for (int i = 0; i < HANDLED; i++)
        CHECK(sigaction(handled[i], &action, NULL) == 0);
    CHECK(setitimer(ITIMER_PROF, &often, NULL) == 0);
    /* Deaf until it has said that it is the host's. */
    CHECK(sigfillset(&all) == 0 && pthread_sigmask(SIG_SETMASK, &all, &mask) == 0);
    CHECK(pthread_create(&thread, NULL, interrupt, &mask) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &mask, NULL) == 0);

    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set(config, "linger.ms", "1", NULL));
    kprod_producer_t *producer = create(config);
    /* Until the timer, which counts the time that this process computes, has gone off as well. */
    do
        send_and_poll(producer);
    while (atomic_load(&seen[0]) < 100 || atomic_load(&seen[1]) < 5);
    close_and_destroy(producer);

    atomic_store(&finished, 1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(setitimer(ITIMER_PROF, &never, NULL) == 0);
    CHECK(atomic_load(&elsewhere) == 0);
    CHECK(atomic_load(&seen[2]) == 0);
    for (int i = 0; i < HANDLED; i++) {
        CHECK(sigaction(handled[i], NULL, &now) == 0);
        CHECK(now.sa_handler == on_signal);
    }
    return 0;
}
