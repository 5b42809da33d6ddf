/* The host's signals never reach the library's threads, and a broken connection raises none. */
#define _GNU_SOURCE
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

/* Whether a thread blocks a signal, by the kernel's word. */
static int blocks(const char *tid, int signal)
{
    char path[300], line[256];
    unsigned long long mask = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", tid);
    FILE *status = fopen(path, "r");
    if (status == NULL)
        return 1; /* it has ended */
    while (fgets(line, sizeof line, status) != NULL)
        sscanf(line, "SigBlk: %llx", &mask);
    fclose(status);
    return (mask >> (signal - 1)) & 1;
}

static void every_library_thread_blocks_them(void)
{
    static const int asynchronous[] = {SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD, SIGPROF};
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    int threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        if (task->d_name[0] == '.' || atoi(task->d_name) == getpid())
            continue;
        threads++;
        for (size_t i = 0; i < sizeof asynchronous / sizeof *asynchronous; i++)
            CHECK(blocks(task->d_name, asynchronous[i]));
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            CHECK(!blocks(task->d_name, faults[i]));
    }
    closedir(tasks);
    CHECK(threads > 0);
}

static void on_own(uint64_t context, const kprod_delivery_t *report)
{
    (void)context, (void)report;
}

static void threads_and_masks(void)
{
    kprod_producer_t *producer = create(mock_config());
    kprod_record_t record = record_with_value(topic(producer, "signals"), "v");
    sigset_t mask;
    CHECK_CODE(0, kprod_send_with_callback(producer, &record, on_own, 0)); /* starts the callback thread */
    CHECK_CODE(0, kprod_flush(producer, 10000, NULL));
    every_library_thread_blocks_them();
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    CHECK(sigismember(&mask, SIGUSR1) == 0); /* the caller's own mask is as it was */
    close_and_destroy(producer);
}

/* Accepts connections, which it hangs up on as rudely as it can. */
static atomic_int hung_up;
static int listener;

static void *hang_up(void *unused)
{
    (void)unused;
    struct linger reset = {1, 0};
    for (int connection; (connection = accept(listener, NULL, NULL)) >= 0; atomic_fetch_add(&hung_up, 1)) {
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(connection);
    }
    return NULL;
}

static void connections_that_break(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    char bootstrap[64];
    pthread_t thread;
    sigset_t none;
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR); /* would end this process */
    sigemptyset(&none);
    CHECK(pthread_sigmask(SIG_SETMASK, &none, NULL) == 0);
    CHECK((listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    CHECK(pthread_create(&thread, NULL, hang_up, NULL) == 0);

    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", ntohs(address.sin_port));
    kprod_config_t *config = kprod_config_new();
    CHECK_CODE(0, kprod_config_set(config, "bootstrap.servers", bootstrap, NULL));
    CHECK_CODE(0, kprod_config_set(config, "reconnect.backoff.ms", "1", NULL));
    CHECK_CODE(0, kprod_config_set(config, "reconnect.backoff.max.ms", "1", NULL));
    kprod_producer_t *producer = create(config);
    while (atomic_load(&hung_up) < 20)
        CHECK(kprod_start(producer, 50, NULL) != 0);
    close_and_destroy(producer);
    shutdown(listener, SHUT_RDWR);
    close(listener);
    CHECK(pthread_join(thread, NULL) == 0);
}

int main(void)
{
    threads_and_masks();
    connections_that_break();
    return 0;
}
