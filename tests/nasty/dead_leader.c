/* A process whose first thread is dead: it looks like a zombie and is none. */
#include "nasty.h"

#include <pthread.h>

static void *stay(void *unused)
{
    (void)unused;
    (void)usleep(20000);
    ready();
    linger();
    exit(0);
}

int main(void)
{
    pthread_t thread;

    ignore_signals();
    if (fork() == 0) {
        setsid();
        if (pthread_create(&thread, NULL, stay, NULL) != 0) _exit(99);
        pthread_exit(NULL);
    }
    linger();
    return 0;
}
