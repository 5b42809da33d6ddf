/* The least that uses the library: a configuration, a refusal, the version. */
#include <stdio.h>

#include <kprod.h>

int main(void)
{
    kprod_config_t *config = kprod_config_new();
    if (config == NULL || kprod_config_set(config, "acks", "all", NULL) != KPROD_ERR_OK)
        return 1;
    if (kprod_config_set(config, "no such property", "", NULL) != KPROD_ERR_UNKNOWN_CONFIG)
        return 1;
    kprod_config_free(config);
    printf("libkprod %s\n", kprod_version_string());
    return kprod_version() == KPROD_VERSION ? 0 : 1;
}
