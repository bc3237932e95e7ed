/* layered_pack.c - boxes that nothing connects, in rows. */
#include "layout/layered_pack.h"

/* The first of 64, 96, 128, 192, 256, ... whose square is at least that area. */
static int64_t width_for(unsigned __int128 area)
{
    uint64_t width = 64;
    while ((unsigned __int128)width * width < area && width < UINT64_C(1) << 62) {
        uint64_t half_up = width + width / 2;
        if ((unsigned __int128)half_up * half_up >= area) return (int64_t)half_up;
        width *= 2;
    }
    return (int64_t)width;
}

void pack(struct pack_item *items, uint32_t count, struct pack_gaps gaps, int64_t width_min, uint32_t ratio_percent,
          int64_t *ret_width, int64_t *ret_height)
{
    unsigned __int128 area = 0;
    int64_t width = width_min, x = 0, y = 0, height = 0, used = 0;
    for (uint32_t i = 0; i < count; i++) {
        area += (unsigned __int128)(items[i].width + gaps.across) * (uint64_t)(items[i].height + gaps.along);
        if (items[i].width > width) width = items[i].width;
    }
    int64_t square = count > 1 ? width_for(area * ratio_percent / 100) : 0;
    if (square > width) width = square;
    for (uint32_t i = 0; i < count; i++) {
        if (x > 0 && x + items[i].width > width) {
            y += height + gaps.along;
            x = height = 0;
        }
        items[i].x = x;
        items[i].y = y;
        if (items[i].height > height) height = items[i].height;
        if (x + items[i].width > used) used = x + items[i].width;
        x += items[i].width + gaps.across;
    }
    *ret_width = used;
    *ret_height = count > 0 ? y + height : 0;
}
