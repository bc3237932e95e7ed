/*
 * base64.c - RFC 4648, section 4.
 */
#include "value.h"

void base64_format(struct orch_str bytes, struct buf *buf)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (bytes.size > SIZE_MAX / 2) {
        buf->failed = true;
        return;
    }
    size_t size = (bytes.size + 2) / 3 * 4;
    char *out = buf_reserve(buf, size);
    if (!out) return;
    const unsigned char *data = (const unsigned char *)bytes.data;
    for (size_t i = 0; i < bytes.size; i += 3, out += 4) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)data[i] << 16;
        if (left > 1) group |= (uint32_t)data[i + 1] << 8;
        if (left > 2) group |= data[i + 2];
        out[0] = alphabet[group >> 18];
        out[1] = alphabet[group >> 12 & 63];
        out[2] = left > 1 ? alphabet[group >> 6 & 63] : '=';
        out[3] = left > 2 ? alphabet[group & 63] : '=';
    }
    buf->size += size;
}
