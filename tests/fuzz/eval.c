/*
 * eval.c - fuzzes the lines that `orch eval --jsonl` reads: each is answered with one line of JSON. The verb's own file
 * is taken in, for its functions for one line, and with it what tells its errors.
 */
#include "fuzz.h"

#include "cli/error.c"
#include "cli/eval.c"
#include "cli/style.c"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct orch_str line = str_of((const char *)data, size);
    struct orch_error err = ORCH_ERROR_INIT;
    struct zonefiles zones;
    struct value value;
    struct arena arena;
    struct buf out;

    zonefiles_init(&zones, NULL, NULL);
    arena_init(&arena, NULL, 4 * FUZZ_MEMORY_MAX);
    buf_init(&out, NULL, FUZZ_MEMORY_MAX);
    if (size > 0 && memchr(data, '\n', size)) line.size = (size_t)((const char *)memchr(data, '\n', size) - line.data);
    int r = eval_line(line, &zones, &arena, &value, &err);
    if (r == 0) {
        buf_add_text(&out, "{\"value\":");
        json_format(value, 0, &out);
        buf_add_text(&out, "}\n");
    } else {
        expect_error(r, &err);
        answer_error(&out, &err);
    }
    if (!out.failed) {
        const char *end = memchr(out.data, '\n', out.size);
        PROPERTY(end == out.data + out.size - 1);
        r = json_parse(buf_str(&out), NULL, &arena, &value, NULL);
        /* Keys 1 and "1" are two in a map and one in JSON; depth has a bound of its own. */
        PROPERTY(r == 0 || r == ORCH_ERR_INVALID || r == ORCH_ERR_LIMIT || r == ORCH_ERR_NO_MEMORY);
    }
    buf_done(&out);
    arena_done(&arena);
    zonefiles_done(&zones);
    return 0;
}
