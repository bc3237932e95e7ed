/* Writes another orchestrator's mark over its own, and lies about its name: a daemon that seems to be of somebody
 * else. */
#include "nasty.h"

extern char **environ;

int main(int argc, char **argv)
{
    static const char store[] = "ORCH_STORE=";

    daemonise();
    for (char **variable = environ; *variable; variable++) {
        size_t kept = strncmp(*variable, store, sizeof(store) - 1) == 0 ? sizeof(store) - 1 : 0;

        for (char *at = *variable + kept; *at; at++) *at = *at == '0' ? '1' : '0';
    }
    for (int i = 0; i < argc; i++) memset(argv[i], 'x', strlen(argv[i]));
    (void)prctl(PR_SET_NAME, "orch-spawner");
    ready();
    linger();
    return 0;
}
