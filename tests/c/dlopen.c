/* The library can be loaded and let go of at run time, again and again, with producers made in between. It stays
 * mapped, so that a producer which the program forgot goes on undisturbed; a destroyed one leaves no thread behind. */
#include <dirent.h>
#include <dlfcn.h>
#include <unistd.h>

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

static void *load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
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
    return library;
}

static kprod_producer_t *make(void)
{
    kprod_config_t *config = kprod_config_new_();
    kprod_producer_t *producer = NULL;
    CHECK(kprod_config_set_(config, "test.mock.num.brokers", "1", NULL) == 0);
    CHECK(kprod_create_(config, KPROD_API_VERSION, &producer, NULL) == 0);
    kprod_config_free_(config);
    return producer;
}

static void finish(kprod_producer_t *producer)
{
    CHECK(kprod_start_(producer, 10000, NULL) == 0);
    CHECK(kprod_close_(producer, 10000, NULL) == 0);
    CHECK(kprod_destroy_(producer) == 0);
}

static int threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;)
        count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    alarm(100); /* the disease of the wait below is that it does not end */
    for (int round = 0; round < 5; round++) {
        void *library = load(argv[1]);
        finish(make());
        CHECK(dlclose(library) == 0);
    }

    void *library = load(argv[1]);
    kprod_producer_t *forgotten = make();
    CHECK(dlclose(library) == 0);
    CHECK(threads() > 1);
    library = dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD);
    CHECK(library != NULL); /* it was never unmapped */
    CHECK(dlclose(library) == 0);
    finish(forgotten);
    while (threads() > 1) /* the kernel lists a joined thread for a moment more */
        usleep(1000);
    return 0;
}
