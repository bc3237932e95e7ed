/*
 * mask.c - hiding secret values in text.
 *
 * Secrets are few and short, texts are lines: a table of first bytes leaves little to compare. Occurrences that overlap
 * are hidden together, so that no tail of one shows behind the other. A secret of several lines is hidden line by line
 * too, since that is how a program prints it.
 */
#include "sys/mask.h"

#include "base/error.h"

#define SECRET_SIZE_MIN 4

/* Length of the longest secret that begins at data, or of the longest of a secret's lines; 0 when none does. */
static size_t match_at(const char *data, size_t size, const struct orch_str *secrets, uint32_t count)
{
    size_t longest = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct orch_str secret = secrets[i];
        const char *line = secret.data, *end;

        if (secret.size < SECRET_SIZE_MIN) continue;
        end = secret.data + secret.size;
        if (secret.size > longest && secret.size <= size && memcmp(data, secret.data, secret.size) == 0)
            longest = secret.size;
        if (!memchr(secret.data, '\n', secret.size)) continue;
        while (line < end) {
            const char *next = memchr(line, '\n', (size_t)(end - line));
            size_t line_size = (size_t)((next ? next : end) - line);

            if (line_size > 0 && line[line_size - 1] == '\r') line_size--;
            if (line_size >= SECRET_SIZE_MIN && line_size > longest && line_size <= size &&
                memcmp(data, line, line_size) == 0)
                longest = line_size;
            line = next ? next + 1 : end;
        }
    }
    return longest;
}

static void note_first_bytes(bool first[256], const struct orch_str *secrets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool at_start = true;

        if (secrets[i].size < SECRET_SIZE_MIN) continue;
        for (size_t j = 0; j < secrets[i].size; j++) {
            if (at_start) first[(unsigned char)secrets[i].data[j]] = true;
            at_start = secrets[i].data[j] == '\n';
        }
    }
}

struct orch_str mask_secrets(struct orch_str text, const struct orch_str *secrets, uint32_t count, struct arena *arena)
{
    bool first[256] = {false};
    struct buf buf;
    struct orch_str made;
    size_t copied = 0,
           hidden_end = 0; /* text before `copied` is in buf or hidden; what lies before hidden_end is secret */
    bool is_hiding = false;

    if (count == 0 || text.size < SECRET_SIZE_MIN) return text;
    note_first_bytes(first, secrets, count);
    buf_init(&buf, NULL, 0);
    for (size_t i = 0; i < text.size; i++) {
        size_t size;

        if (is_hiding && i >= hidden_end) {
            copied = hidden_end;
            is_hiding = false;
        }
        if (!first[(unsigned char)text.data[i]]) continue;
        size = match_at(text.data + i, text.size - i, secrets, count);
        if (size == 0) continue;
        if (!is_hiding) {
            buf_add(&buf, str_of(text.data + copied, i - copied));
            buf_add_text(&buf, "***");
            is_hiding = true;
        }
        if (i + size > hidden_end) hidden_end = i + size;
    }
    if (hidden_end == 0) return text;
    buf_add(&buf, str_of(text.data + hidden_end, text.size - hidden_end));
    made = buf.failed ? STR_NONE : arena_str(arena, buf_str(&buf));
    buf_done(&buf);
    return made;
}
