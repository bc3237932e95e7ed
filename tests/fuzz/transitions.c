/*
 * transitions.c - fuzzes transitions_decode: what it takes it writes, and reads again as the same. The checksum is put
 * right first, or nothing would come behind it.
 */
#include "fuzz.h"

#include "base/crc32c.h"
#include "core/transition.h"

static void decode(struct orch_str record)
{
    struct core_transitions list = {0}, again = {0};
    struct orch_error err = ORCH_ERROR_INIT;
    struct arena arena;
    struct buf bytes, second;
    int r;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    buf_init(&bytes, NULL, 0);
    buf_init(&second, NULL, 0);
    r = transitions_decode(record, &arena, &list, &err);
    if (r == 0) {
        for (uint32_t i = 0; i < list.count; i++) transition_format_json(&list.items[i], i, &second);
        buf_clear(&second);
        transitions_encode(list.items, list.count, &bytes);
        PROPERTY(!bytes.failed);
        r = transitions_decode(buf_str(&bytes), &arena, &again, &err);
        if (r != ORCH_ERR_NO_MEMORY) {
            PROPERTY(r == 0 && again.count == list.count);
            transitions_encode(again.items, again.count, &second);
            PROPERTY(str_equal(buf_str(&bytes), buf_str(&second)));
        }
    } else {
        expect_error(r, &err);
        PROPERTY(list.count == 0);
    }
    buf_done(&bytes);
    buf_done(&second);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    unsigned char *copy;
    uint32_t sum;

    decode(str_of((const char *)data, size));
    if (size < 4) return 0;
    copy = malloc(size);
    if (!copy) return 0;
    memcpy(copy, data, size);
    sum = crc32c(str_of((const char *)data, size - 4));
    for (size_t i = 0; i < 4; i++) copy[size - 4 + i] = (unsigned char)(sum >> (8 * i));
    decode(str_of((const char *)copy, size));
    free(copy);
    return 0;
}
