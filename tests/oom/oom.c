/*
 * oom.c - the driver: which allocation fails next, and what must hold afterwards. The scenarios run in a child, so that
 * a crash or a hang is told with its point, and the next point is tried.
 */
#include "oom.h"

#include <dirent.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANG_SECONDS 30
#define SMALL        300 /* points of a scenario that are always tried all */
#define WRONG_MAX    25  /* then it is enough */

static const char *const mode_names[] = {"once", "from"}, *const who_names[] = {"main", "others"};

/* Where the child is; shared, so that it is known when the child is gone. */
static struct place {
    size_t scenario;
    int mode, who;
    uint64_t n, stride;
    bool is_wrong;        /* told already */
    uint64_t points[512]; /* tried, for each scenario */
    uint64_t failed[512]; /* of them with ORCH_ERR_NO_MEMORY */
    uint64_t ended[512];  /* by libuv */
} * place;

static const struct oom_scenario *all;
static size_t all_count;
static uint64_t share = 1;
static struct {
    bool is_set;
    int mode, who;
    uint64_t n;
} only_point;

_Noreturn void oom_wrong(const char *format, ...)
{
    va_list args;

    fail_disarm();
    printf("%s: allocation %s/%s/%llu: ", all[place->scenario].name, mode_names[place->mode], who_names[place->who],
           (unsigned long long)place->n);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    place->is_wrong = true;
    _exit(3);
}

struct outcome {
    int code;
    uint64_t digest;
};

static struct outcome run(const struct oom_scenario *scenario)
{
    struct outcome outcome = {.digest = UINT64_C(0xcbf29ce484222325)};
    alarm(HANG_SECONDS);
    outcome.code = scenario->run(scenario->arg, &outcome.digest);
    alarm(0);
    return outcome;
}

/* One point. False when no allocation failed any more. */
static bool try_point(const struct oom_scenario *scenario, const struct outcome *untouched)
{
    int64_t live = fail_live();
    struct outcome outcome;

    for (int again = 0;; again++) {
        fail_arm(place->n, (enum fail_mode)place->mode, (enum fail_who)place->who);
        outcome = run(scenario);
        bool has_failed = fail_disarm();
        if (!has_failed) {
            /* With other threads the order is not always the same. */
            if (outcome.code != untouched->code || outcome.digest != untouched->digest)
                oom_wrong("nothing failed, but it gives %s", orch_error_name(outcome.code));
            return false;
        }
        /* Libraries keep some things for good that they make when first asked, and what belongs to a thread may go
         * when the next one begins. What grows each time is lost. */
        if (fail_live() <= live) break;
        if (again == (scenario->has_threads ? 8 : 3))
            oom_wrong("%lld blocks are lost each time", (long long)(fail_live() - live));
        live = fail_live();
    }
    place->points[place->scenario]++;
    if (outcome.code == ORCH_ERR_NO_MEMORY && untouched->code != ORCH_ERR_NO_MEMORY)
        place->failed[place->scenario]++;
    else if (outcome.code != untouched->code)
        oom_wrong("it gives %s, not %s or NO_MEMORY", orch_error_name(outcome.code), orch_error_name(untouched->code));
    else if (outcome.digest != untouched->digest && !scenario->may_differ)
        oom_wrong("it gives something else");
    return true;
}

static void try_all(const struct oom_scenario *scenario, size_t number, int mode, int who, uint64_t from)
{
    fail_arm(0, FAIL_ONCE, FAIL_MAIN);
    struct outcome untouched = run(scenario);
    uint64_t stride = fail_count() > SMALL ? share : 1;
    fail_disarm();
    place->stride = stride;
    struct outcome again = run(scenario);
    if (again.code != untouched.code || again.digest != untouched.digest) oom_wrong("it is not the same twice");
    if (untouched.code == ORCH_ERR_NO_MEMORY) oom_wrong("it is out of memory when nothing fails");
    for (; mode <= FAIL_FROM; mode++, who = FAIL_MAIN, from = 0) {
        for (; who <= (scenario->has_threads ? FAIL_OTHERS : FAIL_MAIN); who++, from = 0) {
            place->mode = mode;
            place->who = who;
            if (only_point.is_set && (only_point.mode != mode || only_point.who != who)) continue;
            uint64_t n = from;
            if (n == 0) n = 1 + (number * 7 + (uint64_t)mode * 3) % stride;
            if (only_point.is_set) n = only_point.n;
            for (;; n += stride) {
                place->n = n;
                if (!try_point(scenario, &untouched) || only_point.is_set) break;
            }
        }
    }
}

static void child(size_t scenario, int mode, int who, uint64_t from)
{
    for (; scenario < all_count; scenario++, mode = who = 0, from = 0) {
        place->scenario = scenario;
        place->n = 0;
        try_all(&all[scenario], scenario, mode, who, from);
    }
    exit(0); /* by way of the leak check */
}

struct total {
    uint64_t scenarios, points, failed, ended;
};

static void print_total(const char *name, const struct total *total)
{
    printf("%-28s %4llu scenarios %9llu points, %9llu out of memory", name, (unsigned long long)total->scenarios,
           (unsigned long long)(total->points + total->ended), (unsigned long long)total->failed);
    if (total->ended > 0) printf(", %llu ended by libuv", (unsigned long long)total->ended);
    printf("\n");
}

static void print_totals(void)
{
    struct total sum = {0};

    for (size_t i = 0; i < all_count;) {
        struct total group = {0};
        size_t first = i;
        for (; i < all_count && strcmp(all[i].group, all[first].group) == 0; i++) {
            group.scenarios++;
            group.points += place->points[i];
            group.failed += place->failed[i];
            group.ended += place->ended[i];
        }
        print_total(all[first].group, &group);
        sum.scenarios += group.scenarios;
        sum.points += group.points;
        sum.failed += group.failed;
        sum.ended += group.ended;
    }
    print_total("all", &sum);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int parse(int argc, char **argv, const struct oom_scenario *scenarios, size_t count, struct oom_scenario **ret,
                 size_t *ret_count)
{
    const char *only = "";
    struct oom_scenario *chosen = calloc(count, sizeof *chosen);

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--share") == 0) {
            if (!str_to_uint64(str_from(argv[i + 1]), &share) || share == 0) return -1;
        } else if (strcmp(argv[i], "--only") == 0) {
            only = argv[i + 1];
        } else if (strcmp(argv[i], "--point") == 0) {
            unsigned long long n;
            char mode[8], who[8];
            if (sscanf(argv[i + 1], "%7[a-z]/%7[a-z]/%llu", mode, who, &n) != 3) return -1;
            only_point.is_set = true;
            only_point.mode = strcmp(mode, "from") == 0;
            only_point.who = strcmp(who, "others") == 0;
            only_point.n = n;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (strstr(scenarios[i].name, only)) chosen[(*ret_count)++] = scenarios[i];
    *ret = chosen;
    return *ret_count > 0 && *ret_count <= sizeof place->points / sizeof place->points[0] ? 0 : -1;
}

void oom_init(void)
{
    if (place) return;
    place = mmap(NULL, sizeof *place, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) exit(1);
    fail_init();
}

int oom_main(int argc, char **argv, const struct oom_scenario *scenarios, size_t count)
{
    struct oom_scenario *chosen;
    size_t chosen_count = 0, scenario = 0;
    int wrong = 0, mode = 0, who = 0;
    uint64_t from = 0;
    double begin = now();

    if (parse(argc, argv, scenarios, count, &chosen, &chosen_count) < 0) {
        fprintf(stderr, "usage: %s [--share N] [--only TEXT] [--point MODE/WHO/N]\n", argv[0]);
        return 2;
    }
    all = chosen;
    all_count = chosen_count;
    oom_init();
    for (;;) {
        int status;
        fflush(stdout);
        pid_t pid = fork();
        if (pid < 0) return 1;
        if (pid == 0) child(scenario, mode, who, from);
        if (waitpid(pid, &status, 0) != pid) return 1;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
        /* libuv grows its table of watched descriptors with a function that ends the program when there is no memory
         * (maybe_resize in unix/core.c, 1.44): that is a crash, from which nothing is lost. */
        bool is_libuv = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && fail_was_in("libuv");
        if (is_libuv) place->ended[place->scenario]++;
        wrong += !is_libuv;
        if (!place->is_wrong && !is_libuv)
            printf("%s: allocation %s/%s/%llu: %s\n", all[place->scenario].name, mode_names[place->mode],
                   who_names[place->who], (unsigned long long)place->n,
                   WIFSIGNALED(status) ? WTERMSIG(status) == SIGALRM ? "hangs" : strsignal(WTERMSIG(status))
                                       : "ends the program");
        place->is_wrong = false;
        if (wrong == WRONG_MAX || only_point.is_set) break;
        /* On from the next point; a scenario that does not even run untouched is given up. */
        scenario = place->scenario + (place->n == 0);
        mode = place->n == 0 ? 0 : place->mode;
        who = place->n == 0 ? 0 : place->who;
        from = place->n == 0 ? 0 : place->n + place->stride;
        if (scenario == all_count) break;
    }
    print_totals();
    printf("%d wrong, %.1f s\n", wrong, now() - begin);
    free(chosen);
    return wrong > 0;
}

/* ---- files ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct oom_file *)a)->path, ((const struct oom_file *)b)->path);
}

size_t oom_files(const char *folder, const char *ending, struct oom_file **ret)
{
    struct oom_file *files = NULL;
    size_t count = 0;
    DIR *dir = opendir(folder);

    if (!dir) {
        perror(folder);
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[1024];
        static char bytes[1 << 20];
        if (entry->d_name[0] == '.' || !str_ends_with(str_from(entry->d_name), str_from(ending))) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
        if (!file) exit(1);
        fclose(file);
        files = realloc(files, (count + 1) * sizeof *files);
        char *copy = malloc(size + 1);
        if (!files || !copy) exit(1);
        memcpy(copy, bytes, size);
        files[count] = (struct oom_file){.path = strdup(path), .text = str_of(copy, size)};
        files[count].name = strrchr(files[count].path, '/') + 1;
        count++;
    }
    closedir(dir);
    qsort(files, count, sizeof *files, by_name);
    *ret = files;
    return count;
}
