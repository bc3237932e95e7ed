/* json.c - fuzzes json_parse: what it takes it writes, and reads again as the same. */
#include "fuzz.h"

#include "base/value.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct value value, again;
    struct arena arena;
    struct buf text, second;
    int r;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    buf_init(&text, NULL, FUZZ_MEMORY_MAX);
    buf_init(&second, NULL, FUZZ_MEMORY_MAX);
    r = json_parse(str_of((const char *)data, size), NULL, &arena, &value, &err);
    if (r == 0) {
        json_format(value, size % 3, &text);
        PROPERTY(!text.failed);
        r = json_parse(buf_str(&text), NULL, &arena, &again, &err);
        if (r != ORCH_ERR_NO_MEMORY) {
            PROPERTY(r == 0);
            json_format(again, size % 3, &second);
            PROPERTY(str_equal(buf_str(&text), buf_str(&second)));
        }
    } else {
        expect_error(r, &err);
    }
    buf_done(&text);
    buf_done(&second);
    arena_done(&arena);
    return 0;
}
