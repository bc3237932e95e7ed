/*
 * crc32c.c - CRC-32C by the processor's instruction where it is there, else eight tables (Kounavis and Berry, "A
 * systematic approach to building high performance software-based CRC generators", 2005: slicing-by-8).
 */
#include "base/crc32c.h"

/*
 * A row of a table is linear: the entry of i is the exclusive or of the entries of its bits. So eight constants make
 * 256 entries, and the compiler does it.
 */
#define ROW_1(x, a0)                         (x), (x) ^ (a0)
#define ROW_2(x, a0, a1)                     ROW_1(x, a0), ROW_1((x) ^ (a1), a0)
#define ROW_3(x, a0, a1, a2)                 ROW_2(x, a0, a1), ROW_2((x) ^ (a2), a0, a1)
#define ROW_4(x, a0, a1, a2, a3)             ROW_3(x, a0, a1, a2), ROW_3((x) ^ (a3), a0, a1, a2)
#define ROW_5(x, a0, a1, a2, a3, a4)         ROW_4(x, a0, a1, a2, a3), ROW_4((x) ^ (a4), a0, a1, a2, a3)
#define ROW_6(x, a0, a1, a2, a3, a4, a5)     ROW_5(x, a0, a1, a2, a3, a4), ROW_5((x) ^ (a5), a0, a1, a2, a3, a4)
#define ROW_7(x, a0, a1, a2, a3, a4, a5, a6) ROW_6(x, a0, a1, a2, a3, a4, a5), ROW_6((x) ^ (a6), a0, a1, a2, a3, a4, a5)
#define TABLE_256(a0, a1, a2, a3, a4, a5, a6, a7) \
    ROW_7(0u, a0, a1, a2, a3, a4, a5, a6), ROW_7(0u ^ (a7), a0, a1, a2, a3, a4, a5, a6)

/* tables[k][1 << bit] for the reflected polynomial 0x82F63B78; tables[k] advances a byte over k further zero bytes. */
static const uint32_t tables[8][256] = {
    {TABLE_256(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78)},
    {TABLE_256(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9)},
    {TABLE_256(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743)},
    {TABLE_256(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f)},
    {TABLE_256(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c)},
    {TABLE_256(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6)},
    {TABLE_256(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4)},
    {TABLE_256(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664)},
};

/* Independent of byte order; compilers make one load of it where they can. */
static inline uint32_t load_le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t crc32c_extend_portable(uint32_t crc, struct orch_str bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.data;
    size_t left = bytes.size;

    crc = ~crc;
    for (; left >= 8; left -= 8, p += 8) {
        uint32_t low = crc ^ load_le32(p), high = load_le32(p + 4);

        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
              tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^ tables[1][high >> 16 & 0xff] ^
              tables[0][high >> 24];
    }
    for (; left > 0; left--, p++) crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
/* Built for SSE4.2 whatever the rest is built for; called only where the processor has it. */
__attribute__((target("sse4.2"))) static uint32_t extend_sse42(uint32_t crc, struct orch_str bytes)
{
    const char *p = bytes.data;
    size_t left = bytes.size;
    uint64_t sum = (uint32_t)~crc;

    for (; left >= 8; left -= 8, p += 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    for (; left > 0; left--, p++) sum = __builtin_ia32_crc32qi((uint32_t)sum, (unsigned char)*p);
    return ~(uint32_t)sum;
}

uint32_t crc32c_extend(uint32_t crc, struct orch_str bytes)
{
    return __builtin_cpu_supports("sse4.2") ? extend_sse42(crc, bytes) : crc32c_extend_portable(crc, bytes);
}
#else
uint32_t crc32c_extend(uint32_t crc, struct orch_str bytes)
{
    return crc32c_extend_portable(crc, bytes);
}
#endif

uint32_t crc32c(struct orch_str bytes)
{
    return crc32c_extend(0, bytes);
}
