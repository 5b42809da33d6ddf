/* Properties by name: set, told, enumerated, refused with a message that helps. */
#include "check.h"

static void refuse(kprod_config_t *config, const char *key, const char *value, int32_t code, const char *says)
{
    kprod_error_t *err = NULL;
    CHECK_CODE(code, kprod_config_set(config, key, value, &err));
    CHECK(err != NULL);
    CHECK(kprod_error_code(err) == code);
    if (strstr(kprod_error_message(err), says) == NULL)
        fprintf(stderr, "%s\n", kprod_error_message(err));
    CHECK(strstr(kprod_error_message(err), says) != NULL);
    CHECK(!kprod_error_is_retriable(err) && !kprod_error_is_abortable(err) && !kprod_error_is_fatal(err));
    kprod_error_free(err);
}

static void values_are_told(kprod_config_t *config)
{
    const char *value = NULL;
    CHECK_CODE(0, kprod_config_get(config, "acks", &value, NULL));
    CHECK(strcmp(value, "1") == 0);
    CHECK_CODE(0, kprod_config_get(config, "transactional.id", &value, NULL));
    CHECK(value == NULL);
    CHECK_CODE(0, kprod_config_set(config, "sasl.password", "hunter2", NULL));
    CHECK_CODE(0, kprod_config_get(config, "sasl.password", &value, NULL));
    CHECK(strstr(value, "hunter2") == NULL);
}

static void every_property_is_enumerated(kprod_config_t *config)
{
    uint32_t count = 0, found = 0;
    const char *name;
    for (; (name = kprod_config_key_at(count)) != NULL; count++) {
        const char *value;
        CHECK_CODE(0, kprod_config_get(config, name, &value, NULL));
        found += strcmp(name, "linger.ms") == 0;
    }
    CHECK(count > 50);
    CHECK(found == 1);
    CHECK(kprod_config_key_at(UINT32_MAX) == NULL);
}

static void create_checks_the_whole(void)
{
    kprod_config_t *config = kprod_config_new();
    kprod_producer_t *producer = NULL;
    kprod_error_t *err = NULL;
    CHECK_CODE(KPROD_ERR_INVALID_CONFIG, kprod_create(config, KPROD_API_VERSION, &producer, &err));
    CHECK(strstr(kprod_error_message(err), "bootstrap.servers") != NULL);
    kprod_error_free(err);
    CHECK_CODE(KPROD_ERR_API_VERSION, kprod_create(config, KPROD_API_VERSION + 1, &producer, NULL));
    CHECK_CODE(KPROD_ERR_API_VERSION, kprod_create(config, 0, &producer, NULL));
    CHECK(producer == NULL);
    kprod_config_free(config);
}

int main(void)
{
    kprod_config_t *config = kprod_config_new();
    refuse(config, "linger.msec", "5", KPROD_ERR_UNKNOWN_CONFIG, "linger.ms");
    refuse(config, "linger.ms", "soon", KPROD_ERR_INVALID_CONFIG, "soon");
    refuse(config, "batch.size", "-7", KPROD_ERR_INVALID_CONFIG, "batch.size");
    values_are_told(config);
    every_property_is_enumerated(config);
    kprod_config_free(config);
    create_checks_the_whole();
    return 0;
}
