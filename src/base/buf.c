/*
 * buf.c - a growing piece of text with a maximum.
 */
#include "str.h"

#include <stdio.h>

#include "arena.h"

#define SIZE_MAX_DEFAULT ((size_t)1 << 30)
#define CAPACITY_FIRST   ((size_t)64)

void buf_init(struct buf *buf, const struct orch_allocator *allocator, size_t size_max)
{
    *buf = (struct buf){.allocator = allocator, .size_max = size_max ? size_max : SIZE_MAX_DEFAULT};
}

void buf_done(struct buf *buf)
{
    if (buf->data) mem_resize(buf->allocator, buf->data, buf->capacity, 0);
    buf->data = NULL;
    buf->size = buf->capacity = 0;
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->failed = false;
    if (buf->data) buf->data[0] = '\0';
}

char *buf_reserve(struct buf *buf, size_t size)
{
    if (buf->failed) return NULL;
    if (buf->size > buf->size_max || size > buf->size_max - buf->size || buf->size + size == SIZE_MAX) {
        buf->failed = true;
        return NULL;
    }
    size_t needed = buf->size + size + 1;
    if (needed > buf->capacity) {
        size_t capacity = buf->capacity ? buf->capacity : CAPACITY_FIRST;
        while (capacity < needed) capacity = capacity <= SIZE_MAX / 2 ? capacity * 2 : needed;
        /* No use for more than the maximum and its NUL. */
        if (buf->size_max < SIZE_MAX && capacity > buf->size_max + 1) capacity = buf->size_max + 1;
        char *data = mem_resize(buf->allocator, buf->data, buf->capacity, capacity);
        if (!data) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->capacity = capacity;
    }
    buf->data[buf->size] = '\0';
    buf->data[buf->size + size] = '\0';
    return buf->data + buf->size;
}

void buf_add(struct buf *buf, struct orch_str s)
{
    char *to = buf_reserve(buf, s.size);
    if (!to || s.size == 0) return;
    memcpy(to, s.data, s.size);
    buf->size += s.size;
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, str_from(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    if (buf->failed) return;
    va_list again;
    va_copy(again, args);
    /* Mostly the room that is there will do; then it is formatted once. */
    size_t room = buf->capacity - buf->size;
    int size = vsnprintf(buf->data ? buf->data + buf->size : NULL, room, format, args);
    if (size < 0) {
        buf->failed = true;
    } else if ((size_t)size < room && buf->size + (size_t)size <= buf->size_max) {
        buf->size += (size_t)size;
    } else {
        char *to = buf_reserve(buf, (size_t)size);
        if (to) {
            vsnprintf(to, (size_t)size + 1, format, again);
            buf->size += (size_t)size;
        }
    }
    va_end(again);
    if (buf->data) buf->data[buf->size] = '\0';
}
