/*
 * Runs a mock Kafka cluster for other programs to try themselves on: prints its address and serves until its standard
 * input ends.
 *
 *     mock_cluster [BROKERS [TOPIC PARTITIONS]]
 */
#include <stdio.h>
#include <stdlib.h>

#include "kprod_mock.h"

int main(int argc, char **argv)
{
    if (argc == 3 || argc > 4) {
        fprintf(stderr, "usage: %s [BROKERS [TOPIC PARTITIONS]]\n", argv[0]);
        return EXIT_FAILURE;
    }
    kprod_mock_t *mock = NULL;
    kprod_error_t *err = NULL;
    if (kprod_mock_create(argc > 1 ? atoi(argv[1]) : 3, &mock, &err) != KPROD_ERR_OK) {
        fprintf(stderr, "%s\n", kprod_error_message(err));
        kprod_error_free(err);
        return EXIT_FAILURE;
    }
    if (argc > 3 && kprod_mock_create_topic(mock, argv[2], atoi(argv[3])) != KPROD_ERR_OK) {
        fprintf(stderr, "no topic %s with %s partitions\n", argv[2], argv[3]);
        kprod_mock_destroy(mock);
        return EXIT_FAILURE;
    }
    printf("%s\n", kprod_mock_bootstrap(mock));
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    kprod_mock_destroy(mock);
    return EXIT_SUCCESS;
}
