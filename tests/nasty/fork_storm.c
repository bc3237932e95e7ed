/* Each process forks two, in sessions of their own, deaf to signals, until there are 300; who loses a child makes
 * another, 3000 in all. */
#include "nasty.h"

struct counts {
    _Atomic int alive_made, all_made;
};

static void storm(struct counts *counts)
{
    ignore_signals();
    (void)signal(SIGCHLD, SIG_DFL);
    for (;;) {
        while (counts->alive_made < 300 && counts->all_made < 3000) {
            pid_t pid;

            counts->alive_made++;
            counts->all_made++;
            pid = fork();
            if (pid == 0) {
                setsid();
                continue;
            }
            if (pid < 0) break;
        }
        if (counts->alive_made == 300) {
            counts->alive_made++;
            ready();
        }
        if (waitpid(-1, NULL, 0) < 0)
            (void)sleep(1);
        else
            counts->alive_made = 200;
        if (getppid() == 1) _exit(0); /* the test's own bound: nobody is left who would end it */
    }
}

int main(void)
{
    struct counts *counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (counts == MAP_FAILED) return 99;
    storm(counts);
    return 0;
}
