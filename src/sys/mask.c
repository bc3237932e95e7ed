/*
 * mask.c - hiding secret values in text.
 *
 * Secrets are few and short, texts are lines: a table of first bytes leaves little to compare. Occurrences that overlap
 * are hidden together, so that no tail of one shows behind the other. A secret of several lines is hidden line by line
 * too, since that is how a program prints it; and white space at the ends does not count, since it is lost so easily.
 */
#include "sys/mask.h"

#include "base/error.h"

#define SECRET_SIZE_MIN 4

/* Goes through what is hidden: each secret as a whole, and each line of one that has several. */
struct pieces {
    const struct orch_str *secrets;
    uint32_t count;
    uint32_t at;
    struct orch_str lines; /* of the secret before, that are still to come */
};

static bool next_piece(struct pieces *pieces, struct orch_str *ret)
{
    for (;;) {
        if (pieces->lines.size > 0) {
            size_t end = str_find(pieces->lines, STR("\n"), 0), size = end == SIZE_MAX ? pieces->lines.size : end;

            *ret = str_of(pieces->lines.data, size);
            if (end != SIZE_MAX) size++;
            pieces->lines = str_of(pieces->lines.data + size, pieces->lines.size - size);
        } else if (pieces->at < pieces->count) {
            *ret = pieces->secrets[pieces->at++];
            if (ret->size > 0 && memchr(ret->data, '\n', ret->size)) pieces->lines = *ret;
        } else {
            return false;
        }
        *ret = str_trim(*ret);
        if (ret->size >= SECRET_SIZE_MIN) return true;
    }
}

/* Length of the longest piece that begins at data; 0 when none does. */
static size_t match_at(const char *data, size_t size, const struct orch_str *secrets, uint32_t count)
{
    struct pieces pieces = {.secrets = secrets, .count = count};
    struct orch_str piece;
    size_t longest = 0;

    while (next_piece(&pieces, &piece)) {
        if (piece.size > longest && piece.size <= size && memcmp(data, piece.data, piece.size) == 0)
            longest = piece.size;
    }
    return longest;
}

static void note_first_bytes(bool first[256], const struct orch_str *secrets, uint32_t count)
{
    struct pieces pieces = {.secrets = secrets, .count = count};
    struct orch_str piece;

    while (next_piece(&pieces, &piece)) first[(unsigned char)piece.data[0]] = true;
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

/* The longest end of text, shorter than the secret, that is a beginning of it; 0 when none is. */
static size_t begun_at_end(struct orch_str text, struct orch_str secret)
{
    size_t size = secret.size - 1;

    if (size > text.size) size = text.size;
    for (; size > 0; size--) {
        if (memcmp(text.data + text.size - size, secret.data, size) == 0) return size;
    }
    return 0;
}

/* Where the first occurrence begins that has the cut inside; the cut itself when there is none. */
static size_t before_occurrence(struct orch_str text, size_t cut, struct orch_str secret)
{
    size_t from = cut >= secret.size ? cut - secret.size + 1 : 0;

    for (; from < cut && from + secret.size <= text.size; from++) {
        if (memcmp(text.data + from, secret.data, secret.size) == 0) return from;
    }
    return cut;
}

size_t mask_safe_cut(struct orch_str text, const struct orch_str *secrets, uint32_t count)
{
    struct pieces pieces = {.secrets = secrets, .count = count};
    struct orch_str piece;
    size_t cut = text.size, before;

    while (next_piece(&pieces, &piece)) {
        size_t size = begun_at_end(text, piece);

        if (text.size - size < cut) cut = text.size - size;
    }
    do {
        before = cut;
        pieces = (struct pieces){.secrets = secrets, .count = count};
        while (next_piece(&pieces, &piece)) cut = before_occurrence(text, cut, piece);
    } while (cut < before);
    return cut;
}
