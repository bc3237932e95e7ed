/* Deaf, in a session of its own, twice forked, without environment, descriptors, directory and name, and not to be told
 * of its parent's death. */
#include "nasty.h"

int main(int argc, char **argv)
{
    if (argc < 2) { /* once more, with nothing in the environment */
        char again[] = "again", *const arguments[] = {argv[0], again, NULL}, *const nothing[] = {NULL};

        execve("/proc/self/exe", arguments, nothing);
        return 99;
    }
    ignore_signals();
    if (fork() == 0) {
        setsid();
        if (fork() > 0) _exit(0);
        (void)prctl(PR_SET_PDEATHSIG, 0);
        (void)prctl(PR_SET_NAME, "innocent");
        if (chdir("/") != 0) _exit(99);
        ready();
        for (int fd = 0; fd < 64; fd++) close(fd);
        linger();
        _exit(0);
    }
    linger();
    return 0;
}
