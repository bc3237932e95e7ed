/*
 * load.c - a task that has much to say: lines for its log, and a result that can be told from its number.
 *
 *     load NUMBER SIZE LINES MILLISECONDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 5) return 2;
    long number = strtol(argv[1], NULL, 10), size = strtol(argv[2], NULL, 10), lines = strtol(argv[3], NULL, 10);

    for (long i = 0; i < lines; i++) {
        if (fprintf(stderr, "line %ld of %ld, item %ld, and a few words more\n", i + 1, lines, number) < 0) return 3;
    }
    (void)usleep((useconds_t)strtol(argv[4], NULL, 10) * 1000);
    if (printf("{\"n\":%ld,\"text\":\"", number) < 0) return 3;
    for (long i = 0; i < size; i++) {
        if (putchar('a' + (int)((number * 7 + i) % 26)) == EOF) return 3;
    }
    return printf("\"}\n") < 0 || fflush(stdout) != 0 ? 3 : 0;
}
