/*
 * layered_pack.h - boxes that nothing connects, in rows.
 */
#ifndef LAYOUT_LAYERED_PACK_H
#define LAYOUT_LAYERED_PACK_H

#include <stdint.h>

struct pack_item {
    int64_t width, height;
    int64_t x, y; /* filled */
};

struct pack_gaps {
    int64_t across, along; /* between items of a row; between rows */
};

/*
 * Sets the items into rows, in their order. A row is as wide as `width_min` or the widest item, or more, so that the
 * whole is about `ratio_percent` as wide as it is high. That width goes in coarse steps: one item more seldom moves the
 * others into other rows.
 */
void pack(struct pack_item *items, uint32_t count, struct pack_gaps gaps, int64_t width_min, uint32_t ratio_percent,
          int64_t *ret_width, int64_t *ret_height);

#endif
