/*
 * effect.c - a task with an effect outside: tells the ledger that it begins, works a moment, tells it that it ends.
 *
 *   effect MILLISECONDS [RESULT]
 *
 * The ledger is a datagram socket at $LEDGER that nobody kills. RESULT is printed; with "fail:N" it fails until attempt N.
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

int main(int argc, char **argv)
{
    long milliseconds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    tell("begin");
    nanosleep(&pause, NULL);
    if (argc > 2 && strncmp(argv[2], "fail:", 5) == 0 && strtol(variable("ORCH_ATTEMPT"), NULL, 10) < strtol(argv[2] + 5, NULL, 10)) {
        tell("end");
        return 75;
    }
    tell("end");
    if (argc > 2) puts(argv[2]);
    return 0;
}
