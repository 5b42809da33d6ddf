/* The library can be loaded and let go of at run time, again and again, with producers made in between. */
#include <dlfcn.h>

#include "check.h"

/* POSIX makes data and function pointers the same size; ISO C has no cast between them. */
#define LOAD(library, name)                                                                                           \
    do {                                                                                                              \
        void *symbol = dlsym((library), #name);                                                                       \
        CHECK(symbol != NULL);                                                                                        \
        memcpy(&name##_, &symbol, sizeof symbol);                                                                     \
    } while (0)

static kprod_config_t *(*kprod_config_new_)(void);
static int32_t (*kprod_config_set_)(kprod_config_t *, const char *, const char *, kprod_error_t **);
static void (*kprod_config_free_)(kprod_config_t *);
static int32_t (*kprod_create_)(const kprod_config_t *, uint32_t, kprod_producer_t **, kprod_error_t **);
static int32_t (*kprod_start_)(kprod_producer_t *, int32_t, kprod_error_t **);
static int32_t (*kprod_close_)(kprod_producer_t *, int32_t, kprod_error_t **);
static int32_t (*kprod_destroy_)(kprod_producer_t *);

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    for (int round = 0; round < 5; round++) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL)
            fprintf(stderr, "%s\n", dlerror());
        CHECK(library != NULL);
        LOAD(library, kprod_config_new);
        LOAD(library, kprod_config_set);
        LOAD(library, kprod_config_free);
        LOAD(library, kprod_create);
        LOAD(library, kprod_start);
        LOAD(library, kprod_close);
        LOAD(library, kprod_destroy);

        kprod_config_t *config = kprod_config_new_();
        kprod_producer_t *producer = NULL;
        CHECK(kprod_config_set_(config, "test.mock.num.brokers", "1", NULL) == 0);
        CHECK(kprod_create_(config, KPROD_API_VERSION, &producer, NULL) == 0);
        kprod_config_free_(config);
        CHECK(kprod_start_(producer, 10000, NULL) == 0);
        CHECK(kprod_close_(producer, 10000, NULL) == 0);
        CHECK(kprod_destroy_(producer) == 0);
        CHECK(dlclose(library) == 0);
    }
    return 0;
}
