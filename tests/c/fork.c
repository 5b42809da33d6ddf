/* A producer does not follow its process into a child: there it says so, and can be let go of. */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void expect_success(pid_t child)
{
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void send_and_wait(kprod_producer_t *producer)
{
    kprod_record_t record = record_with_value(topic(producer, "fork"), "v");
    kprod_delivery_t report;
    CHECK_CODE(0, kprod_send_wait(producer, &record, 10000, &report));
    CHECK_CODE(0, report.error);
}

/* A batch of the parent's is left alone, and freeing it is a no-op. */
static void inherited_batch(kprod_producer_t *inherited, uint32_t handle, kprod_batch_t *batch)
{
    kprod_record_t record = record_with_value(0, "v");
    kprod_batch_t *made = NULL;
    CHECK_CODE(KPROD_ERR_FORKED, kprod_create_batch(inherited, &made, NULL));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_batch_append(batch, &record, NULL));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_batch_close(batch));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_batch_size(batch));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_batch_record_count(batch));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_send_batch(inherited, batch, handle, 0, 0, -1));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_try_send_batch(inherited, batch, handle, 0, 0));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_send_batch_async(inherited, batch, handle, 0, 0, 0));
    kprod_batch_free(batch);
    CHECK(made == NULL);
}

static void in_child(kprod_producer_t *inherited, uint32_t handle)
{
    kprod_record_t record = record_with_value(handle, "v");
    kprod_delivery_t report;
    kprod_error_t *err = NULL;
    kprod_metrics_t metrics;
    int32_t fd = 77, why = 77;
    CHECK_CODE(KPROD_ERR_FORKED, kprod_send(inherited, &record));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_try_send(inherited, &record));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_send_wait(inherited, &record, -1, &report));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_send_many(inherited, &record, 1, &why));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_poll(inherited, &report, 1, -1));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_flush(inherited, -1, &err));
    CHECK(kprod_error_code(err) == KPROD_ERR_FORKED && strlen(kprod_error_message(err)) > 0);
    kprod_error_free(err);
    CHECK_CODE(KPROD_ERR_FORKED, kprod_close(inherited, -1, NULL));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_wake_fd(inherited, &fd));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_metrics(inherited, &metrics));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_fatal_error(inherited, NULL));
    CHECK_CODE(KPROD_ERR_FORKED, kprod_cluster_error(inherited, NULL));
    CHECK(kprod_topic_name(inherited, handle) == NULL);
    CHECK(fd == 77 && why == 77);
    CHECK_CODE(0, kprod_destroy(inherited));

    kprod_producer_t *own = create(mock_config());
    send_and_wait(own);
    close_and_destroy(own);
}

int main(void)
{
    alarm(100); /* the disease is hanging */
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        kprod_producer_t *own = create(mock_config());
        send_and_wait(own);
        close_and_destroy(own);
        _exit(0);
    }
    expect_success(child);

    kprod_producer_t *producer = create(mock_config());
    uint32_t handle = topic(producer, "fork");
    send_and_wait(producer);
    kprod_batch_t *batch = NULL;
    kprod_record_t record = record_with_value(0, "v");
    CHECK_CODE(0, kprod_create_batch(producer, &batch, NULL));
    CHECK_CODE(0, kprod_batch_append(batch, &record, NULL));
    for (int i = 0; i < 3; i++) {
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(100);
            inherited_batch(producer, handle, batch);
            in_child(producer, handle);
            _exit(0);
        }
        expect_success(child);
        send_and_wait(producer); /* the parent never noticed */
    }
    CHECK_CODE(0, kprod_send_batch(producer, batch, handle, 0, 3, 10000));
    kprod_batch_free(batch);
    kprod_delivery_t report;
    CHECK_CODE(1, kprod_poll(producer, &report, 1, 10000));
    CHECK(report.kind == KPROD_KIND_BATCH && report.tag == 3 && report.count == 1);
    close_and_destroy(producer);
    return 0;
}
