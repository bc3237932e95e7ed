/*
 * workflow.c - fuzzes definitions: what is read gives a normal form that reads again as the same, also by way of the
 * YAML for people; what is refused is refused with findings that can be shown.
 */
#include "fuzz.h"

#include "base/value.h"
#include "lang/model.h"

static void render(struct diags *diags, struct orch_str text, struct arena *arena)
{
    struct diag_style style = {.color = text.size % 2 != 0};
    struct orch_error err = ORCH_ERROR_INIT;
    struct value value;
    struct buf out;

    buf_init(&out, NULL, FUZZ_MEMORY_MAX);
    diags_sort(diags);
    diags_render(diags, text, STR("input.yaml"), &style, &out);
    PROPERTY(!out.failed && utf8_is_valid(buf_str(&out), NULL));
    buf_clear(&out);
    diags_render_json(diags, &out);
    PROPERTY(!out.failed && json_parse(buf_str(&out), NULL, arena, &value, &err) != ORCH_ERR_INVALID);
    buf_done(&out);
}

/* The text reads as a workflow of this normal form. */
static void expect_same(struct orch_str text, struct orch_str normal, struct arena *arena)
{
    static struct diags diags;
    const struct workflow *again;
    int r;

    diags_init(&diags, arena);
    r = workflow_read(text, STR("input.yaml"), arena, &diags, &again);
    if (r == ORCH_ERR_NO_MEMORY) return;
    if (r != 0) {
        render(&diags, text, arena);
        fprintf(stderr, "%.*s\n", STR_ARG(diags.items[0].message));
    }
    PROPERTY(r == 0);
    if (!str_equal(again->normal, normal)) fprintf(stderr, "%.*s\n%.*s\n", STR_ARG(normal), STR_ARG(again->normal));
    PROPERTY(str_equal(again->normal, normal));
}

/* With its comments, it reads as the same, and nothing changes when that is formatted again. */
static void expect_comments(const struct workflow *workflow, struct orch_str text, struct arena *arena)
{
    struct orch_error err = ORCH_ERROR_INIT;
    static struct diags diags;
    const struct workflow *again;
    uint32_t comments, comments_again;
    struct buf once, twice;

    buf_init(&once, NULL, FUZZ_MEMORY_MAX);
    buf_init(&twice, NULL, FUZZ_MEMORY_MAX);
    int r = workflow_format_commented(workflow, text, &once, &comments, &err);
    PROPERTY(r == 0 || r == ORCH_ERR_NO_MEMORY);
    if (r == 0) {
        diags_init(&diags, arena);
        r = workflow_read(buf_str(&once), STR("input.yaml"), arena, &diags, &again);
        PROPERTY(r == 0 || r == ORCH_ERR_NO_MEMORY);
        if (r == 0) r = workflow_format_commented(again, buf_str(&once), &twice, &comments_again, &err);
        if (r == 0) {
            PROPERTY(comments == comments_again);
            if (!str_equal(buf_str(&once), buf_str(&twice)))
                fprintf(stderr, "%.*s---\n%.*s", STR_ARG(buf_str(&once)), STR_ARG(buf_str(&twice)));
            PROPERTY(str_equal(buf_str(&once), buf_str(&twice)));
        }
    }
    buf_done(&once);
    buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct orch_str text = str_of((const char *)data, size);
    struct orch_error err = ORCH_ERROR_INIT;
    static struct diags diags;
    const struct workflow *workflow;
    struct analysis analysis;
    struct arena arena;
    struct buf out;
    int r;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    buf_init(&out, NULL, FUZZ_MEMORY_MAX);
    diags_init(&diags, &arena);
    r = workflow_read(text, STR("input.yaml"), &arena, &diags, &workflow);
    if (r != ORCH_ERR_NO_MEMORY) render(&diags, text, &arena);
    if (r != 0) {
        PROPERTY(r == ORCH_ERR_NO_MEMORY || diags.error_count > 0);
        goto done;
    }
    PROPERTY(diags.error_count == 0);
    expect_same(workflow->normal, workflow->normal, &arena);
    for (int json = 0; json < 2; json++) {
        buf_clear(&out);
        if (workflow_format(workflow, json, &out, &err) == 0) expect_same(buf_str(&out), workflow->normal, &arena);
    }
    expect_comments(workflow, text, &arena);
    (void)workflow_analyze(workflow, &arena, &analysis, &err);
done:
    buf_done(&out);
    arena_done(&arena);
    return 0;
}
