/* A host that has functions of the names which are used inside: each keeps its own. Linked with the shared library,
 * which could find the host's, and with the static one, where two of a name would clash. */
#include "check.h"

#ifdef OTHER_RUST
/* Another library made with Rust, with the same standard library inside. */
extern int32_t other_rust_library(int32_t number);
#endif

/* Called by nobody: not by this program, and not by the library instead of its own. */
#define OURS(name)                                                                                                    \
    __attribute__((visibility("default"))) void name(void);                                                           \
    void name(void)                                                                                                   \
    {                                                                                                                 \
        fprintf(stderr, "the library called the host's %s\n", #name);                                                 \
        abort();                                                                                                      \
    }
OURS(ZSTD_createCCtx)
OURS(ZSTD_freeCCtx)
OURS(ZSTD_compress2)
OURS(ZSTD_compressStream2)
OURS(ZSTD_CCtx_setParameter)
OURS(ZSTD_CCtx_reset)
OURS(ZSTD_compressBound)
OURS(ZSTD_isError)
OURS(ZSTD_createDCtx)
OURS(ZSTD_decompressStream)
OURS(HUF_compress)
OURS(FSE_normalizeCount)
OURS(XXH64)
OURS(LZ4_compress_default)
OURS(LZ4F_compressBegin)
OURS(deflate)
OURS(deflateInit2_)
OURS(crc32)
OURS(crc32c)
OURS(adler32)
OURS(snappy_compress)
OURS(SHA256_Update)
OURS(SSL_new)

/* Each codec, over a batch that is worth compressing. */
static void send_compressed(const char *codec)
{
    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set(config, "compression.type", codec, NULL));
    kprod_producer_t *producer = create(config);
    static char value[20000];
    memset(value, 'x', sizeof value - 1);
    kprod_record_t record = record_with_value(topic(producer, codec), value);
    kprod_delivery_t report;
    CHECK_CODE(0, kprod_send_wait(producer, &record, 10000, &report));
    CHECK_CODE(0, report.error);
    close_and_destroy(producer);
}

int main(void)
{
    static const char *const codecs[] = {"gzip", "snappy", "lz4", "zstd"};
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        send_compressed(codecs[i]);
#ifdef OTHER_RUST
    CHECK(other_rust_library(20) == 42);
#endif
    return 0;
}
