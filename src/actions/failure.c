/*
 * failure.c - why a program did not do its work, in words.
 */
#include "actions/failure.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "actions/script.h"

/* strerror() begins with a capital; our messages do not. */
static struct orch_str error_text_of(int error, struct arena *arena)
{
    struct orch_str text = arena_str(arena, str_from(strerror(error)));
    char *first = (char *)(uintptr_t)text.data;

    if (first && first[0] >= 'A' && first[0] <= 'Z' && !(first[1] >= 'A' && first[1] <= 'Z')) {
        first[0] = (char)(first[0] - 'A' + 'a');
    }
    return text;
}

static struct orch_str signal_name(int signal, struct arena *arena)
{
    const char *name = sigabbrev_np(signal);

    return name ? arena_printf(arena, "SIG%s", name) : arena_printf(arena, "signal %d", signal);
}

/* Text that matters more than where it is allocated: when memory is short, at least the kind of failure is said. */
static struct orch_str or_else(struct orch_str text, const char *otherwise)
{
    return text.data ? text : str_from(otherwise);
}

static struct orch_str start_failure(const struct spawn_news *news, struct orch_str name, struct orch_str working_dir,
                                     struct arena *arena)
{
    struct orch_str text = error_text_of(news->error, arena), path;
    struct stat status;

    switch (news->stage) {
    case SPAWN_STAGE_DIRECTORY:
        return arena_printf(arena, "cannot enter the working directory %.*s: %.*s", STR_ARG(working_dir),
                            STR_ARG(text));
    case SPAWN_STAGE_PREPARE: break;
    case SPAWN_STAGE_EXEC:
        if (news->error == E2BIG) {
            return arena_printf(arena, "cannot start %.*s: its arguments and environment are too large", STR_ARG(name));
        }
        if (news->error == ENOENT && memchr(name.data, '/', name.size) &&
            path_join(working_dir, name, arena, &path, NULL) == 0 && stat(path.data, &status) == 0) {
            /* The file is there: what is missing is what its first line asks for. */
            return arena_printf(arena, "cannot start %.*s: the interpreter in its #! line does not exist",
                                STR_ARG(name));
        }
        break;
    }
    return arena_printf(arena, "cannot start %.*s: %.*s", STR_ARG(name), STR_ARG(text));
}

void failure_describe(const struct runner_end *end, struct orch_str name, struct orch_str working_dir,
                      struct arena *arena, struct action_result *result)
{
    const struct spawn_news *news = &end->news;

    result->failure = FAILURE_NONE;
    result->exit_code = -1;
    if (end->lost && news->stopped) { /* it is gone, and that is what was asked for */
        result->failure = FAILURE_CANCELLED;
        result->error = STR("stopped: ended together with the process spawner");
        return;
    }
    if (end->lost) {
        result->failure = FAILURE_LOST;
        result->error = STR("the process spawner was gone, and the program with it");
        return;
    }
    if (!end->started) {
        result->failure = FAILURE_START;
        result->error = or_else(start_failure(news, name, working_dir, arena), "cannot start");
        return;
    }
    result->exit_code = news->exit_code;
    result->signal = news->signal;
    result->cpu_us = news->cpu_us;
    result->memory_peak = news->memory_peak;
    if (news->stopped) {
        result->failure = FAILURE_CANCELLED;
        if (news->signal == SIGKILL) {
            result->error = STR("stopped: SIGTERM was not enough, ended by SIGKILL");
        } else if (news->signal) {
            result->error = or_else(
                arena_printf(arena, "stopped: ended by %.*s", STR_ARG(signal_name(news->signal, arena))), "stopped");
        } else {
            result->error = or_else(arena_printf(arena, "stopped: exit code %d", news->exit_code), "stopped");
        }
    } else if (news->signal) {
        result->failure = FAILURE_SIGNAL;
        result->error = or_else(arena_printf(arena, "killed by %.*s%s", STR_ARG(signal_name(news->signal, arena)),
                                             news->core_dumped ? " (core dumped)" : ""),
                                "killed by a signal");
    } else if (news->exit_code != 0) {
        result->failure = FAILURE_EXIT;
        result->error = or_else(arena_printf(arena, "exit code %d", news->exit_code), "exit code not 0");
    }
}
