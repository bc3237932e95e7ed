/* Stops who started it, and stops it again whenever it goes on. */
#include "nasty.h"

int main(void)
{
    pid_t spawner = spawner_of(getppid());

    if (fork() == 0) {
        setsid();
        ignore_signals();
        ready();
        for (int i = 0; i < 60000 && kill(spawner, SIGSTOP) == 0; i++) (void)usleep(2000);
        linger();
        _exit(0);
    }
    linger();
    return 0;
}
