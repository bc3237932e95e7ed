/* document.c - fuzzes the tree that is made of YAML and JSON, and the findings about it as text and as JSON. */
#include "fuzz.h"

#include "base/value.h"
#include "lang/doc.h"

static uint32_t check_tree(const struct doc_node *node, uint32_t depth)
{
    uint32_t nodes = 1;

    PROPERTY(depth <= 64 && node->line > 0 && node->column > 0);
    PROPERTY(utf8_is_valid(node->text, NULL));
    if (node->kind != DOC_LIST && node->kind != DOC_MAP) return nodes;
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->kind == DOC_MAP) {
            PROPERTY(node->members[i].key.kind == DOC_STRING);
            PROPERTY(doc_get(node, node->members[i].key.text) == &node->members[i].value); /* each key once */
            nodes += check_tree(&node->members[i].value, depth + 1);
        } else {
            nodes += check_tree(&node->items[i], depth + 1);
        }
    }
    return nodes;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const struct doc_limits limits = {.nodes_max = 2000, .size_max = 1 << 20};
    struct orch_str text = str_of((const char *)data, size);
    struct orch_error err = ORCH_ERROR_INIT;
    static struct diags diags;
    const struct doc_node *root;
    struct value value;
    struct arena arena;
    struct buf out;
    int r;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    buf_init(&out, NULL, FUZZ_MEMORY_MAX);
    diags_init(&diags, &arena);
    r = doc_parse(text, &limits, &arena, &diags, &root);
    if (r == 0) {
        PROPERTY(diags.error_count == 0);
        PROPERTY(check_tree(root, 0) <= 2001);
        PROPERTY(doc_value(root, &arena, &value) == 0 || arena.size >= FUZZ_MEMORY_MAX / 2);
        json_format(value, 0, &out);
        PROPERTY(!out.failed && json_parse(buf_str(&out), NULL, &arena, &value, &err) != ORCH_ERR_INVALID);
    } else {
        struct diag_style style = {.color = size % 2 != 0};

        PROPERTY(r == ORCH_ERR_NO_MEMORY || diags.error_count > 0);
        diags_sort(&diags);
        diags_render(&diags, text, STR("input.yaml"), &style, &out);
        PROPERTY(!out.failed && utf8_is_valid(buf_str(&out), NULL));
        buf_clear(&out);
        diags_render_json(&diags, &out);
        PROPERTY(!out.failed && json_parse(buf_str(&out), NULL, &arena, &value, &err) != ORCH_ERR_INVALID);
        if (r != ORCH_ERR_NO_MEMORY) PROPERTY(diags_to_error(&diags, STR("input.yaml"), &err) != 0);
    }
    buf_done(&out);
    arena_done(&arena);
    return 0;
}
