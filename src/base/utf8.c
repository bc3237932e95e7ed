/*
 * utf8.c - UTF-8 as RFC 3629 has it.
 */
#include "str.h"

size_t utf8_size(const char *text, size_t left)
{
    const unsigned char *data = (const unsigned char *)text;
    unsigned lead = data[0];
    if (lead < 0x80) return 1;
    if (lead < 0xc2) return 0; /* a continuation, or overlong */
    if (lead < 0xe0) return left >= 2 && (data[1] & 0xc0) == 0x80 ? 2 : 0;
    if (lead < 0xf0) {
        if (left < 3 || (data[1] & 0xc0) != 0x80 || (data[2] & 0xc0) != 0x80) return 0;
        if (lead == 0xe0 && data[1] < 0xa0) return 0; /* overlong */
        if (lead == 0xed && data[1] > 0x9f) return 0; /* surrogate */
        return 3;
    }
    if (lead > 0xf4 || left < 4) return 0;
    if ((data[1] & 0xc0) != 0x80 || (data[2] & 0xc0) != 0x80 || (data[3] & 0xc0) != 0x80) return 0;
    if (lead == 0xf0 && data[1] < 0x90) return 0; /* overlong */
    if (lead == 0xf4 && data[1] > 0x8f) return 0; /* above U+10FFFF */
    return 4;
}

bool utf8_is_valid(struct orch_str s, size_t *ret_at)
{
    size_t at = 0;
    while (at < s.size) {
        if (s.size - at >= 8) {
            uint64_t word;
            memcpy(&word, s.data + at, 8);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += 8;
                continue;
            }
        }
        size_t size = utf8_size(s.data + at, s.size - at);
        if (size == 0) {
            if (ret_at) *ret_at = at;
            return false;
        }
        at += size;
    }
    return true;
}

uint32_t utf8_next(struct orch_str s, size_t *at)
{
    const unsigned char *data = (const unsigned char *)s.data + *at;
    size_t size = utf8_size(s.data + *at, s.size - *at);
    *at += size ? size : 1;
    switch (size) {
    case 1: return data[0];
    case 2: return (data[0] & 0x1fU) << 6 | (data[1] & 0x3fU);
    case 3: return (data[0] & 0x0fU) << 12 | (data[1] & 0x3fU) << 6 | (data[2] & 0x3fU);
    case 4: return (data[0] & 0x07U) << 18 | (data[1] & 0x3fU) << 12 | (data[2] & 0x3fU) << 6 | (data[3] & 0x3fU);
    default: return 0xfffd;
    }
}

size_t utf8_count(struct orch_str s)
{
    size_t count = 0;
    for (size_t at = 0; at < s.size; count++) {
        size_t size = utf8_size(s.data + at, s.size - at);
        at += size ? size : 1;
    }
    return count;
}

size_t utf8_put(uint32_t code_point, char out[4])
{
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xc0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        if (code_point >= 0xd800 && code_point <= 0xdfff) return 0;
        out[0] = (char)(0xe0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code_point & 0x3f));
        return 3;
    }
    if (code_point > 0x10ffff) return 0;
    out[0] = (char)(0xf0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code_point & 0x3f));
    return 4;
}
