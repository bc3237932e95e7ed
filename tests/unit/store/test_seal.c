/*
 * The checksums of pages and of the log's frames: each single bit is noticed and found.
 */
#include "common.h"

#include "store/seal.h"

static void fill(unsigned char *bytes, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(seed >> 24);
    }
}

static void turn(unsigned char *bytes, size_t bit)
{
    bytes[bit / 8] ^= (unsigned char)(1 << (bit % 8));
}

static void check_page(unsigned char *page, size_t size, uint32_t number)
{
    unsigned char *good = malloc(size);
    assert_non_null(good);
    seal_put(page, size, number);
    memcpy(good, page, size);
    assert_true(seal_is_right(page, size, number));
    assert_false(seal_is_right(page, size, number + 1));
    assert_int_equal(seal_mend(page, size, number), -1); /* nothing to mend */
    for (size_t bit = 0; bit < size * 8; bit++) {
        turn(page, bit);
        assert_false(seal_is_right(page, size, number));
        assert_int_equal(seal_mend(page, size, number), (int64_t)bit);
        assert_memory_equal(page, good, size);
    }
    /* Two bits are noticed and left as they are. */
    for (size_t bit = 0; bit < size * 8 - 1; bit += 13) {
        for (size_t other = bit + 1; other < size * 8; other += size) {
            turn(page, bit);
            turn(page, other);
            assert_false(seal_is_right(page, size, number));
            assert_int_equal(seal_mend(page, size, number), -1);
            turn(page, bit);
            turn(page, other);
        }
    }
    assert_memory_equal(page, good, size);
    free(good);
}

static void test_pages(void **state)
{
    (void)state;
    static unsigned char page[1024];
    for (size_t size = 512; size <= sizeof page; size *= 2) {
        fill(page, size, (uint32_t)size);
        check_page(page, size, 7);
        memset(page, 0, size);
        check_page(page, size, 1);
        memset(page, 0xff, size);
        check_page(page, size, UINT32_MAX - 1);
    }
    memset(page, 0, sizeof page);
    assert_true(page_is_zero(page, sizeof page));
    assert_false(seal_is_right(page, sizeof page, 1)); /* no seal is none */
    page[sizeof page - 1] = 1;
    assert_false(page_is_zero(page, sizeof page));
}

#define PAGE 512

/* Gives how many of its bits can be put right. */
static size_t check_frames(bool is_big_endian, const unsigned char *content)
{
    unsigned char frame[FRAME_HEAD_SIZE + PAGE], good[sizeof frame];
    const unsigned char salts[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const struct log_sum before = {0x12345678, 0x9abcdef0};
    size_t count = 0;
    memcpy(frame + FRAME_HEAD_SIZE, content, PAGE);
    memcpy(frame, "\0\0\0\7\0\0\0\x0b", 8);
    memcpy(frame + FRAME_SALTS_AT, salts, 8);
    struct log_sum sum = frame_sum(is_big_endian, before, frame, frame + FRAME_HEAD_SIZE, PAGE);
    for (int i = 0; i < 4; i++) {
        frame[FRAME_SUM_AT + i] = (unsigned char)(sum.a >> (24 - 8 * i));
        frame[FRAME_SUM_AT + 4 + i] = (unsigned char)(sum.b >> (24 - 8 * i));
    }
    memcpy(good, frame, sizeof good);
    assert_true(frame_is_right(is_big_endian, before, frame, frame + FRAME_HEAD_SIZE, PAGE));
    assert_int_equal(frame_mend(is_big_endian, before, salts, frame, PAGE), -1);
    for (size_t bit = 0; bit < sizeof frame * 8; bit++) {
        turn(frame, bit);
        bool is_salt = bit / 8 >= FRAME_SALTS_AT && bit / 8 < FRAME_SUM_AT; /* compared with the header's */
        assert_int_equal(frame_is_right(is_big_endian, before, frame, frame + FRAME_HEAD_SIZE, PAGE), is_salt);
        int64_t mended = frame_mend(is_big_endian, before, salts, frame, PAGE);
        if (mended < 0) turn(frame, bit);
        assert_true(mended < 0 || mended == (int64_t)bit);
        assert_memory_equal(frame, good, sizeof frame);
        count += mended >= 0;
    }
    return count;
}

static void test_frames(void **state)
{
    (void)state;
    unsigned char page[PAGE];
    for (int big = 0; big < 2; big++) {
        fill(page, PAGE, 99);
        assert_true(check_frames(big == 1, page) > sizeof page * 8 / 2);
        memset(page, 0, PAGE);
        assert_true(check_frames(big == 1, page) > sizeof page * 8 / 2);
        memset(page, 0xff, PAGE);
        assert_true(check_frames(big == 1, page) > sizeof page * 8 / 2);
    }
}

/* One as SQLite wrote it. */
static void test_log(void **state)
{
    (void)state;
    struct fixture f;
    char path[128];
    fixture_init(&f);
    fixture_open(&f);
    (void)make_execution(&f, "w", 1);
    (void)make_execution(&f, "w", 1);
    snprintf(path, sizeof path, "%s/orch.db-wal", f.path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    unsigned char header[LOG_HEADER_SIZE], good[LOG_HEADER_SIZE], frame[FRAME_HEAD_SIZE + 4096];
    assert_int_equal(pread(fd, header, sizeof header, 0), sizeof header);
    memcpy(good, header, sizeof good);
    assert_true(log_header_is_right(header));
    for (size_t bit = 0; bit < sizeof header * 8; bit++) {
        turn(header, bit);
        assert_false(log_header_is_right(header));
        int64_t mended = log_header_mend(header);
        if (mended < 0) turn(header, bit);
        assert_true(mended < 0 || mended == (int64_t)bit);
        assert_memory_equal(header, good, sizeof good);
    }
    struct log_sum before = log_sum_load(header + LOG_HEADER_SUM_AT);
    int count = 0;
    for (off_t at = LOG_HEADER_SIZE; pread(fd, frame, sizeof frame, at) == sizeof frame; at += (off_t)sizeof frame) {
        if (memcmp(frame + FRAME_SALTS_AT, header + LOG_HEADER_SALTS_AT, 8) != 0) break;
        assert_true(frame_is_right(header[3] & 1, before, frame, frame + FRAME_HEAD_SIZE, 4096));
        before = log_sum_load(frame + FRAME_SUM_AT);
        count++;
    }
    assert_true(count > 5);
    (void)close(fd);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pages), cmocka_unit_test(test_frames),
                                       cmocka_unit_test(test_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
