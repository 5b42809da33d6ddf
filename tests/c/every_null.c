/* Every pointer of every public function may be NULL: nothing crashes, and one that is needed is refused. The calls
 * come from the headers, so that a new function is called too. */
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "kprod_mock.h"

/* Each call has a process of its own, which makes what the call needs. */
static uint64_t zeros[1024];

static kprod_producer_t *sample_kprod_producer_t(void)
{
    return create(mock_config());
}

static kprod_config_t *sample_kprod_config_t(void)
{
    return mock_config();
}

static kprod_error_t *sample_kprod_error_t(void)
{
    kprod_error_t *err = NULL;
    kprod_config_set(NULL, NULL, NULL, &err);
    CHECK(err != NULL);
    return err;
}

static kprod_mock_t *sample_kprod_mock_t(void)
{
    kprod_mock_t *mock = NULL;
    CHECK_CODE(0, kprod_mock_create(1, &mock, NULL));
    return mock;
}

static kprod_record_t *sample_kprod_record_t(void)
{
    static kprod_record_t record;
    record = record_with_value(0, "v");
    record.topic_name = "sample";
    record.topic_name_len = 6;
    return &record;
}

static void sample_kprod_delivery_fn(uint64_t context, const kprod_delivery_t *reports, uint64_t count)
{
    (void)context, (void)reports, (void)count;
}

static void sample_kprod_record_fn(uint64_t context, const kprod_delivery_t *report)
{
    (void)context, (void)report;
}

static int32_t sample_kprod_partitioner_fn(uint64_t context, const kprod_partition_request_t *request)
{
    (void)context, (void)request;
    return 0;
}

static void sample_kprod_log_fn(uint64_t context, int32_t level, const char *message, uint64_t length)
{
    (void)context, (void)level, (void)message, (void)length;
}

struct function {
    const char *name;
    int64_t (*call)(unsigned missing); /* its code; for a pointer KPROD_ERR_INVALID_ARG when it is NULL */
    unsigned pointers;
    unsigned needed; /* those whose comment does not allow NULL; a bit each, as in missing */
    const char *parameters[16];
};

#include "every_null_calls.h"

static int failures;

static void expect_no_crash(const struct function *function, unsigned missing)
{
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        int64_t code = function->call(missing);
        _exit((function->needed & missing) != 0 && code != KPROD_ERR_INVALID_ARG);
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (status == 0)
        return;
    failures++;
    fprintf(stderr, "%s with", function->name);
    for (unsigned i = 0; i < function->pointers; i++)
        if (missing & 1u << i)
            fprintf(stderr, " %s", function->parameters[i]);
    if (WIFSIGNALED(status))
        fprintf(stderr, " NULL: ended by signal %d\n", WTERMSIG(status));
    else
        fprintf(stderr, " NULL: not refused, though its comment does not allow it\n");
}

int main(void)
{
    size_t count = sizeof functions / sizeof *functions;
    for (size_t i = 0; i < count; i++) {
        for (unsigned pointer = 0; pointer < functions[i].pointers; pointer++)
            expect_no_crash(&functions[i], 1u << pointer);
        expect_no_crash(&functions[i], (1u << functions[i].pointers) - 1);
    }
    CHECK(failures == 0);
    return 0;
}
