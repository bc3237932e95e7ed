/* A number that stays and a program that does not: execs itself for ever with nothing in the environment, and a vforked
 * child execs on the way. */
#include "nasty.h"

static char again[] = "again", leaf[] = "leaf";
static char *const nothing[] = {NULL};

int main(int argc, char **argv)
{
    char rest[24];
    char *arguments[] = {argv[0], again, rest, NULL}, *const leaf_arguments[] = {argv[0], leaf, NULL};
    long left = argc == 3 ? strtol(argv[2], NULL, 10) : 200000; /* bounded */

    if (argc == 2) return 0;
    if (argc < 2) {
        if (fork() > 0) {
            linger();
            return 0;
        }
        setsid();
        ignore_signals();
        ready();
    }
    (void)signal(SIGCHLD, SIG_DFL);
    if (vfork() == 0) {
        execve("/proc/self/exe", leaf_arguments, nothing);
        _exit(99);
    }
    (void)waitpid(-1, NULL, WNOHANG);
    if (left == 0) return 0;
    (void)snprintf(rest, sizeof(rest), "%ld", left - 1);
    execve("/proc/self/exe", arguments, nothing);
    return 99;
}
