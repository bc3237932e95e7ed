/*
 * common.c - stores, runs and users as the verbs name them.
 */
#include "cli/cli.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

struct orch_str cli_store_path(const char *option, const char *file, struct arena *arena)
{
    const char *set = option ? option : getenv("ORCH_STORE_DIR");
    if (set && set[0]) return arena_str(arena, str_from(set));
    if (file) {
        const char *slash = strrchr(file, '/');
        if (!slash) return arena_str(arena, STR(".orch"));
        return arena_printf(arena, "%.*s/.orch", (int)(slash - file), file);
    }
    char *here = getcwd(NULL, 0);
    struct orch_str path = STR_NONE;
    for (size_t size = here ? strlen(here) : 0; here; size--) {
        if (size > 0 && here[size] != '/' && here[size] != '\0') continue;
        here[size] = '\0';
        struct orch_str candidate = arena_printf(arena, "%s/.orch", here);
        if (!candidate.data || is_directory(candidate.data)) {
            path = candidate;
            break;
        }
        if (size == 0) break;
    }
    free(here);
    return path.data ? path : arena_str(arena, STR(".orch"));
}

int cli_store_read(const char *option, struct arena *arena, struct store **ret, struct orch_error *err)
{
    struct orch_str path = cli_store_path(option, NULL, arena);
    if (!path.data) return error_memory(err);
    if (!is_directory(path.data)) {
        error_set(err, ORCH_ERR_NOT_FOUND, "there is no store at %.*s", STR_ARG(path));
        error_hint(err, "orch run FILE  makes one beside the file; name another with --store DIR");
        return ORCH_ERR_NOT_FOUND;
    }
    struct store_options options = {.mode = STORE_READ};
    return store_open(path.data, &options, ret, err);
}

static int keep_number(void *user, const struct store_execution *execution)
{
    *(int64_t *)user = execution->number;
    return 1;
}

int cli_run_number(struct store *store, const char *id, int64_t *ret, struct orch_error *err)
{
    struct orch_str text = id ? str_from(id) : STR("last");
    if (text.size == 0 || str_is(text, "last")) {
        struct store_filter filter = {.count_max = 1};
        int r = store_each_execution(store, &filter, keep_number, ret, err);
        if (r > 0) return 0;
        if (r == 0) {
            r = error_set(err, ORCH_ERR_NOT_FOUND, "nothing has run in this store yet");
            error_hint(err, "orch run FILE  runs a workflow");
        }
        return r;
    }
    struct arena arena;
    struct store_execution row;
    int r = ORCH_ERR_NOT_FOUND;
    arena_init(&arena, NULL, 0);
    if (store_execution_number(text, ret)) r = store_get_execution(store, *ret, &arena, &row, err);
    arena_done(&arena);
    if (r == ORCH_ERR_NOT_FOUND) {
        error_set(err, r, "there is no run \"%s\" in this store", id);
        error_hint(err, "orch runs  lists them");
    }
    return r;
}

void cli_no_memory(void)
{
    fputs("orch: out of memory\n", stderr);
    exit(orch_error_exit_code(ORCH_ERR_NO_MEMORY));
}

/* The user in the file of this machine's, which is where nearly all are: what may look elsewhere too loads libraries
 * for it, and crashes in glibc 2.36 when there is no memory. */
static struct orch_str local_user(uid_t uid, struct arena *arena)
{
    struct orch_str user = STR_NONE;
    char text[1024];
    struct passwd entry, *found;
    FILE *file = fopen("/etc/passwd", "re");
    if (!file) return user;
    while (!user.data && fgetpwent_r(file, &entry, text, sizeof text, &found) == 0)
        if (entry.pw_uid == uid && entry.pw_name && entry.pw_name[0]) user = arena_str(arena, str_from(entry.pw_name));
    fclose(file);
    return user;
}

struct orch_str cli_user(struct arena *arena)
{
    const char *user = getenv("ORCH_USER");
    if (user && user[0]) return arena_str(arena, str_from(user));
    struct orch_str local = local_user(geteuid(), arena);
    if (local.data) return local;
    struct passwd *entry = getpwuid(geteuid());
    if (entry && entry->pw_name) return arena_str(arena, str_from(entry->pw_name));
    return arena_printf(arena, "uid %u", (unsigned)geteuid());
}

const char *cli_activity(const struct core *core, bool owned, struct buf *waiting)
{
    struct core_summary summary;
    bool held = false, retrying = false;
    core_get_summary(core, &summary);
    if (execution_state_is_terminal((uint8_t)summary.state)) return execution_state_to_string(summary.state);
    uint32_t count = core_instance_count(core);
    for (uint32_t i = 0; i < count && i < 100000; i++) {
        const struct core_instance *instance = core_get_instance(core, i);
        if (instance->state != TASK_WAITING) continue;
        bool person =
            instance->reason == REASON_APPROVAL || instance->reason == REASON_HELD || instance->reason == REASON_EVENT;
        if (instance->reason == REASON_BACKOFF) retrying = true;
        if (!person || held) continue;
        held = true;
        if (!waiting) continue;
        buf_printf(waiting, "%s: ", reason_to_string((enum reason)instance->reason));
        core_path(core, i, waiting);
    }
    if (summary.state != EXECUTION_RUNNING) return execution_state_to_string(summary.state);
    if (!owned) return "interrupted";
    if (held && summary.states[TASK_RUNNING] == 0) return "held";
    return retrying && summary.states[TASK_RUNNING] == 0 ? "retrying" : "running";
}
