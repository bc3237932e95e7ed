/* Kills who started it, once it has put a deaf daemon somewhere else. */
#include "nasty.h"

int main(void)
{
    pid_t spawner = spawner_of(getppid());

    if (fork() == 0) {
        setsid();
        if (fork() > 0) _exit(0);
        ignore_signals();
        ready();
        linger();
        _exit(0);
    }
    (void)waitpid(-1, NULL, 0);
    (void)usleep(50000);
    (void)kill(spawner, SIGKILL);
    linger();
    return 0;
}
