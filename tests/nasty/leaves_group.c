/* Leaves whatever it is put into: its control group, where it may, for one above and one below, and its process group.
 */
#include "nasty.h"

/* The directory of its control group (version 2), or false. */
static int find_group(char path[4096])
{
    char line[4096], own[2048] = "", point[1024] = "";
    FILE *file = fopen("/proc/self/cgroup", "re");

    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "0::", 3) == 0)
            (void)snprintf(own, sizeof(own), "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
    if (file) fclose(file);
    file = fopen("/proc/self/mountinfo", "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strstr(line, " - cgroup2 ")) (void)sscanf(line, "%*s %*s %*s %*s %1023s", point);
    }
    if (file) fclose(file);
    return own[0] && point[0] && snprintf(path, 4096, "%s%s", point, own) < 4000;
}

static void move_to(const char *group, const char *where)
{
    char path[8192];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s/cgroup.procs", group, where);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)!write(fd, "0", 1);
    close(fd);
}

int main(void)
{
    char group[4096] = "", below[8192];
    /* Two levels up is where the orchestrator itself is; anywhere else it would do no harm to the test. */
    int has_group = find_group(group) && strstr(group, "/orch-") != NULL;

    if (fork() == 0) {
        setsid();
        ignore_signals();
        if (has_group) {
            (void)snprintf(below, sizeof(below), "%s/below", group);
            (void)mkdir(below, 0700);
            move_to(group, "below");
        }
        if (fork() == 0) {
            (void)setpgid(0, 0);
            if (has_group) move_to(group, "../..");
            ready();
        }
        linger();
        _exit(0);
    }
    (void)setpgid(0, getppid()); /* the spawner's */
    linger();
    return 0;
}
