/*
 * effect.c - a task with an effect outside: tells the ledger that it begins, works a moment, tells it that it ends.
 *
 *   effect MILLISECONDS [RESULT]
 *
 * The ledger is a datagram socket at $LEDGER that nobody kills. RESULT is printed; with "fail:N" it fails until attempt N, with "size:N" it
 * prints a text of N characters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "-";
}

static void tell(const char *what)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[2048];
    int size = snprintf(text, sizeof text, "%s\t%s\t%s\t%s\t%s\t%ld\n", what, variable("ORCH_EXECUTION_ID"), variable("ORCH_TASK"),
                        variable("ORCH_ATTEMPT"), variable("ORCH_FENCE"), (long)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", variable("LEDGER"));
    if (fd < 0 || sendto(fd, text, (size_t)size, 0, (struct sockaddr *)&address, sizeof address) != size) {
        perror("effect: the ledger does not answer");
        exit(99);
    }
    close(fd);
}

/* The number behind a prefix; 0 when the text does not begin with it. */
static long number_after(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text && strncmp(text, prefix, size) == 0 ? strtol(text + size, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    const char *result = argc > 2 ? argv[2] : NULL;
    long milliseconds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    tell("begin");
    nanosleep(&pause, NULL);
    tell("end");
    if (strtol(variable("ORCH_ATTEMPT"), NULL, 10) < number_after(result, "fail:")) return 75;
    long size = number_after(result, "size:");
    for (long i = 0; i < size; i++) putchar('a' + (int)(i % 26));
    if (result && size == 0) puts(result);
    return 0;
}
