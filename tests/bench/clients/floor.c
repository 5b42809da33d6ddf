/* The floor: Produce requests encoded beforehand go through one socket, a few in flight. No producer can cost less. */
#define _GNU_SOURCE /* mempcpy */
#include "measure.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PARTITIONS 4
#define IN_FLIGHT 5
#define ANSWERS 65536
#define BATCH_HEADER 61
#define RECORD_OVERHEAD 32

struct options {
    const char *port;
    const char *topic;
    size_t value_size;
    size_t write_size;
    uint64_t records;
    uint64_t warmup;
};

struct request {
    uint8_t *bytes;
    size_t length;
    uint64_t records;
};

/* The answers that came: only where one ends is looked at. */
struct answers {
    uint8_t head[4];
    size_t head_length;
    uint64_t body_left;
    uint64_t complete;
};

static uint32_t crc32c(const uint8_t *bytes, size_t length) {
    uint32_t crc = 0xffffffff;
    while (length--) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static uint8_t *put16(uint8_t *at, uint16_t value) { return value = htobe16(value), mempcpy(at, &value, 2); }
static uint8_t *put32(uint8_t *at, uint32_t value) { return value = htobe32(value), mempcpy(at, &value, 4); }
static uint8_t *put64(uint8_t *at, uint64_t value) { return value = htobe64(value), mempcpy(at, &value, 8); }

static uint8_t *put_varint(uint8_t *at, int64_t value) {
    uint64_t left = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (; left >= 0x80; left >>= 7) *at++ = (uint8_t)(left | 0x80);
    *at++ = (uint8_t)left;
    return at;
}

static uint8_t *put_string(uint8_t *at, const char *text) {
    return mempcpy(put16(at, (uint16_t)strlen(text)), text, strlen(text));
}

/* No key, no headers, as the contestants' records. */
static uint8_t *put_record(uint8_t *at, size_t value_size, uint64_t offset) {
    uint8_t body[RECORD_OVERHEAD], *end = body;
    *end++ = 0; /* attributes */
    end = put_varint(end, 0); /* timestamp delta */
    end = put_varint(end, (int64_t)offset);
    end = put_varint(end, -1); /* key */
    end = put_varint(end, (int64_t)value_size);
    at = put_varint(at, (end - body) + (int64_t)value_size + 1);
    at = mempcpy(at, body, (size_t)(end - body));
    memset(at, 'a', value_size);
    at += value_size;
    *at++ = 0; /* headers */
    return at;
}

/* Fills `at` with one batch of at most `room` bytes, but one record at least; returns its end. */
static uint8_t *put_batch(uint8_t *at, size_t room, size_t value_size, uint64_t *records) {
    uint8_t *end = at + BATCH_HEADER;
    *records = 0;
    do end = put_record(end, value_size, (*records)++);
    while ((size_t)(end - at) + value_size + RECORD_OVERHEAD <= room);
    uint8_t *head = put64(at, 0);
    head = put32(head, (uint32_t)(end - at - 12));
    head = put32(head, (uint32_t)-1); /* leader epoch */
    *head++ = 2;
    uint8_t *crc = head;
    head = put16(head + 4, 0);
    head = put32(head, (uint32_t)*records - 1);
    head = put64(put64(head, 1700000000000), 1700000000000); /* first and last timestamp */
    head = put64(head, (uint64_t)-1); /* producer id */
    head = put16(head, (uint16_t)-1);
    head = put32(head, (uint32_t)-1);
    put32(head, (uint32_t)*records);
    put32(crc, crc32c(crc + 4, (size_t)(end - crc - 4)));
    return end;
}

/* A Produce request of version 7 with one batch for one partition. */
static struct request encode(const struct options *options, uint32_t partition) {
    struct request request;
    request.bytes = malloc(options->write_size + options->value_size + 1024);
    if (!request.bytes) fail("no memory");
    uint8_t *at = put16(put16(request.bytes + 4, 0), 7);
    at = put_string(put32(at, partition), "floor");
    at = put16(at, (uint16_t)-1); /* transactional id */
    at = put32(put16(at, 1), 30000); /* acks, timeout */
    at = put_string(put32(at, 1), options->topic);
    at = put32(put32(at, 1), partition);
    uint8_t *length = at, *batch = at + 4;
    size_t before = (size_t)(batch - request.bytes);
    size_t room = options->write_size > before ? options->write_size - before : 0;
    uint8_t *end = put_batch(batch, room, options->value_size, &request.records);
    put32(length, (uint32_t)(end - batch));
    request.length = (size_t)(end - request.bytes);
    put32(request.bytes, (uint32_t)request.length - 4);
    return request;
}

static int dial(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int socket_fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (socket_fd < 0 || connect(socket_fd, (struct sockaddr *)&address, sizeof address)) fail("cannot connect");
    setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return socket_fd;
}

static void write_whole(int socket_fd, const struct request *request) {
    for (size_t done = 0; done < request->length;) {
        ssize_t written = send(socket_fd, request->bytes + done, request->length - done, MSG_NOSIGNAL);
        if (written <= 0) fail("the broker has closed the connection");
        done += (size_t)written;
    }
}

static void count_answers(struct answers *answers, const uint8_t *bytes, size_t length) {
    while (length > 0) {
        if (answers->head_length < 4) {
            answers->head[answers->head_length++] = *bytes++;
            length--;
            if (answers->head_length == 4) {
                uint32_t body;
                memcpy(&body, answers->head, 4);
                answers->body_left = be32toh(body);
            }
            continue;
        }
        size_t part = length < answers->body_left ? length : (size_t)answers->body_left;
        bytes += part;
        length -= part;
        answers->body_left -= part;
        if (answers->body_left == 0) {
            answers->complete++;
            answers->head_length = 0;
        }
    }
}

static void read_answers(int socket_fd, struct answers *answers) {
    static uint8_t bytes[ANSWERS];
    ssize_t length = recv(socket_fd, bytes, sizeof bytes, 0);
    if (length <= 0) fail("the broker has closed the connection");
    count_answers(answers, bytes, (size_t)length);
}

/* Sends whole requests until at least `records` records are acknowledged; returns how many there were. */
static uint64_t run(int socket_fd, const struct request *requests, uint64_t records) {
    struct answers answers = {0};
    uint64_t sent = 0, written = 0;
    while (written < records) {
        const struct request *request = &requests[sent++ % PARTITIONS];
        write_whole(socket_fd, request);
        written += request->records;
        while (sent - answers.complete >= IN_FLIGHT) read_answers(socket_fd, &answers);
    }
    while (answers.complete < sent) read_answers(socket_fd, &answers);
    return written;
}

/* --port N --topic T --size N --write N --records N --warmup N */
static struct options parse(int count, char **arguments) {
    struct options options = {0};
    for (int i = 1; i + 1 < count; i += 2) {
        const char *name = arguments[i], *value = arguments[i + 1];
        if (!strcmp(name, "--port")) options.port = value;
        else if (!strcmp(name, "--topic")) options.topic = value;
        else if (!strcmp(name, "--size")) options.value_size = number(value);
        else if (!strcmp(name, "--write")) options.write_size = number(value);
        else if (!strcmp(name, "--records")) options.records = number(value);
        else if (!strcmp(name, "--warmup")) options.warmup = number(value);
        else fail("what is %s?", name);
    }
    if (!options.port || !options.topic || !options.records) fail("port, topic or records missing");
    return options;
}

int main(int count, char **arguments) {
    struct options options = parse(count, arguments);
    struct request requests[PARTITIONS];
    for (uint32_t partition = 0; partition < PARTITIONS; partition++) requests[partition] = encode(&options, partition);
    int socket_fd = dial(options.port);
    uint64_t warmup = run(socket_fd, requests, options.warmup);
    struct mark begin = measure_now();
    uint64_t records = run(socket_fd, requests, options.records);
    struct mark end = measure_now();
    measure_print(begin, end, "-", records, warmup + records);
    close(socket_fd);
    for (int i = 0; i < PARTITIONS; i++) free(requests[i].bytes);
    return 0;
}
