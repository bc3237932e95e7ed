/*
 * scratch.c - directories for attempts.
 *
 * How an untouched directory is known: after it was made its modification time is set to 1970, and whatever is put into
 * it or taken out of it changes that.
 */
#include "actions/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "sys/file.h"

static const struct timespec long_ago[2] = {{0, 0}, {0, 0}};

void scratch_init(struct scratch_pool *pool)
{
    *pool = (struct scratch_pool){0};
    arena_init(&pool->arena, NULL, 0);
    remover_init(&pool->remover);
}

void scratch_done(struct scratch_pool *pool)
{
    remover_done(&pool->remover);
    if (pool->home.size > 0)
        (void)file_remove_tree(pool->home.data, NULL); /* what cannot be removed now is at the next start */
    if (pool->home_parent.size > 0) (void)rmdir(pool->home_parent.data);
    arena_done(&pool->arena);
    *pool = (struct scratch_pool){0};
}

static int open_home(struct scratch_pool *pool, struct orch_str attempt_dir, struct orch_error *err)
{
    char absolute[PATH_MAX];
    struct orch_str parent, home, kept;
    int result;

    if (attempt_dir.size == 0) {
        const char *base = getenv("TMPDIR");

        home = arena_printf(&pool->arena, "%s/orch-XXXXXX", base && base[0] == '/' ? base : "/tmp");
        if (!home.data) return error_memory(err);
        if (!mkdtemp((char *)(uintptr_t)home.data))
            return error_errno(err, errno, "cannot make a directory in %s", base ? base : "/tmp");
        pool->home = home;
        return 0;
    }
    while (attempt_dir.size > 0 && attempt_dir.data[attempt_dir.size - 1] != '/') attempt_dir.size--;
    while (attempt_dir.size > 1 && attempt_dir.data[attempt_dir.size - 1] == '/') attempt_dir.size--;
    parent = attempt_dir.size > 0 ? arena_str(&pool->arena, attempt_dir) : STR(".");
    if (!parent.data) return error_memory(err);
    result = file_make_dirs(parent.data, err);
    if (result != 0) return result;
    if (!realpath(parent.data, absolute)) return error_errno(err, errno, "cannot find %s", parent.data);
    kept = arena_str(&pool->arena, str_from(absolute));
    home = arena_printf(&pool->arena, "%s/XXXXXX", absolute);
    if (!kept.data || !home.data) return error_memory(err);
    if (!mkdtemp((char *)(uintptr_t)home.data))
        return error_errno(err, errno, "cannot make a directory in %s", absolute);
    pool->home_parent = kept;
    pool->home = home;
    /* The store has one owner, and that is us: nobody uses what else is there. What cannot be removed (a mount in it, a
     * file of another user) stays, and is in nobody's way. */
    pool->old_removal = (struct remover_item){.path = kept.data, .keep = home.data + kept.size + 1};
    if (!remover_put(&pool->remover, &pool->old_removal)) remover_remove(&pool->old_removal);
    return 0;
}

static struct scratch_slot *slot_new(struct scratch_pool *pool)
{
    struct scratch_slot *slot = ARENA_NEW(&pool->arena, struct scratch_slot);
    struct orch_str root = arena_printf(&pool->arena, "%s/%u", pool->home.data, pool->count);
    struct orch_str directory = arena_printf(&pool->arena, "%s/%u/scratch", pool->home.data, pool->count);
    struct orch_str output = arena_printf(&pool->arena, "%s/%u/output", pool->home.data, pool->count);
    struct orch_str inputs = arena_printf(&pool->arena, "%s/%u/inputs", pool->home.data, pool->count);
    struct orch_str script = arena_printf(&pool->arena, "%s/%u/script", pool->home.data, pool->count);

    if (!slot || !root.data || !directory.data || !output.data || !inputs.data || !script.data) return NULL;
    slot->root = (char *)(uintptr_t)root.data;
    slot->removal.path = root.data;
    slot->directory = (char *)(uintptr_t)directory.data;
    slot->output = (char *)(uintptr_t)output.data;
    slot->inputs = (char *)(uintptr_t)inputs.data;
    slot->script = (char *)(uintptr_t)script.data;
    pool->count++;
    return slot;
}

/* One that the remover is done with, if there is any. One that it could not empty (a mount in it, another user's file)
 * is given up; the next life tries again. */
static struct scratch_slot *slot_cleaned(struct scratch_pool *pool)
{
    struct remover_item *item;

    while ((item = remover_take(&pool->remover)) != NULL) {
        if (item != &pool->old_removal && item->is_removed) return (struct scratch_slot *)item;
    }
    return NULL;
}

static bool is_untouched(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && (status.st_mode & 07777) == 0700 &&
           status.st_mtim.tv_sec == 0 && status.st_mtim.tv_nsec == 0;
}

int scratch_take(struct scratch_pool *pool, struct orch_str attempt_dir, struct scratch_slot **ret,
                 struct orch_error *err)
{
    struct scratch_slot *slot;
    int result = pool->home.size > 0 ? 0 : open_home(pool, attempt_dir, err);

    if (result != 0) return result;
    slot = pool->free;
    if (slot)
        pool->free = slot->next;
    else
        slot = slot_cleaned(pool);
    if (!slot) slot = slot_new(pool);
    if (!slot) return error_memory(err);
    if (!slot->made) {
        if (mkdir(slot->root, 0700) != 0 || mkdir(slot->directory, 0700) != 0 ||
            utimensat(AT_FDCWD, slot->directory, long_ago, 0) != 0 ||
            utimensat(AT_FDCWD, slot->root, long_ago, 0) != 0) {
            result = error_errno(err, errno, "cannot make the task's directory %s", slot->root);
            (void)file_remove_tree(slot->root, NULL);
            slot->next = pool->free;
            pool->free = slot;
            return result;
        }
        slot->made = true;
    }
    slot->root_untouched = false;
    *ret = slot;
    return 0;
}

void scratch_give_back(struct scratch_pool *pool, struct scratch_slot *slot)
{
    if (!(slot->root_untouched || is_untouched(slot->root)) || !is_untouched(slot->directory)) {
        slot->made = false;
        if (remover_put(&pool->remover, &slot->removal)) return;
        remover_remove(&slot->removal);
        if (!slot->removal.is_removed) return; /* given up */
    }
    slot->next = pool->free;
    pool->free = slot;
}

enum scratch_output scratch_has_output(struct scratch_slot *slot)
{
    struct stat status;

    slot->root_untouched = is_untouched(slot->root);
    if (slot->root_untouched || stat(slot->output, &status) != 0) return SCRATCH_OUTPUT_NONE;
    return S_ISREG(status.st_mode) ? SCRATCH_OUTPUT_FILE : SCRATCH_OUTPUT_ODD;
}

int scratch_write(const char *path, struct orch_str text, unsigned mode, struct orch_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode), result = 0;

    if (fd < 0) return error_errno(err, errno, "cannot create %s", path);
    for (size_t at = 0; at < text.size && result == 0;) {
        ssize_t size = write(fd, text.data + at, text.size - at);

        if (size >= 0)
            at += (size_t)size;
        else if (errno != EINTR)
            result = error_errno(err, errno, "cannot write %s", path);
    }
    if (close(fd) != 0 && result == 0) result = error_errno(err, errno, "cannot write %s", path);
    return result;
}

int scratch_write_inputs(const struct scratch_slot *slot, const struct action_input *inputs, uint32_t count,
                         struct orch_error *err)
{
    struct buf buf;
    int result = 0;

    if (mkdir(slot->inputs, 0700) != 0) return error_errno(err, errno, "cannot make %s", slot->inputs);
    buf_init(&buf, NULL, 0);
    for (uint32_t i = 0; i < count && result == 0; i++) {
        if (count > SCRATCH_INPUT_FILES_MAX) {
            buf_add_text(&buf, "{\"task\":");
            json_format_string(inputs[i].task, &buf);
            buf_add_text(&buf, ",\"output\":");
            buf_add(&buf, inputs[i].output);
            buf_add_text(&buf, "}\n");
        } else {
            /* An id is letters, digits, '_' and '-': safe as a file's name. */
            buf_clear(&buf);
            buf_printf(&buf, "%s/%.*s.json", slot->inputs, STR_ARG(inputs[i].task));
            result = buf.failed ? error_memory(err) : scratch_write(buf.data, inputs[i].output, 0600, err);
        }
    }
    if (result == 0 && count > SCRATCH_INPUT_FILES_MAX) {
        struct buf path;

        buf_init(&path, NULL, 0);
        buf_printf(&path, "%s/inputs.jsonl", slot->inputs);
        result = buf.failed || path.failed ? error_memory(err) : scratch_write(path.data, buf_str(&buf), 0600, err);
        buf_done(&path);
    }
    buf_done(&buf);
    return result;
}
