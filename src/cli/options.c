/*
 * options.c - one table of options gives the parser and the help.
 */
#include "cli/cli.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/time.h"

#define LIST_MAX 10000

static void print_option(const struct cli_option *option)
{
    char left[64];
    char letter[8] = "    ";
    if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name, option->value ? " " : "", option->value ? option->value : "");
    printf("  %-28s %s%s%s%s\n", left, option->help, option->choices ? " (" : "", option->choices ? option->choices : "", option->choices ? ")" : "");
}

static void print_help(const struct cli_usage *usage)
{
    printf("%s\n", usage->examples);
    printf("\norch %s%s%s%s\n%s.\n", usage->verb, usage->options && usage->options[0].name ? " [options]" : "", usage->arguments[0] ? " " : "",
           usage->arguments, usage->summary);
    if (usage->options && usage->options[0].name) {
        puts("\noptions");
        for (const struct cli_option *option = usage->options; option->name; option++) print_option(option);
    }
    puts("  -h, --help                   this text\n      --color WHEN             always, never or auto\n      --ascii                  no symbols beyond ASCII");
}

static int wrong(const struct cli_usage *usage, const char *format, ...) ORCH_PRINTF(2, 3);
static int wrong(const struct cli_usage *usage, const char *format, ...)
{
    va_list args;
    char text[1000];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cli_say("orch %s: %s", usage->verb, text);
    fprintf(stderr, "  = help: orch %s --help\n", usage->verb);
    return EXIT_USAGE;
}

static const struct cli_option *find(const struct cli_usage *usage, struct orch_str name)
{
    for (const struct cli_option *option = usage->options; option && option->name; option++)
        if (str_is(name, option->name)) return option;
    return NULL;
}

static const struct cli_option *find_letter(const struct cli_usage *usage, char letter)
{
    for (const struct cli_option *option = usage->options; option && option->name; option++)
        if (option->letter == letter) return option;
    return NULL;
}

static int unknown(const struct cli_usage *usage, struct orch_str name)
{
    struct orch_str names[64];
    size_t count = 0;
    for (const struct cli_option *option = usage->options; option && option->name && count < 64; option++) names[count++] = str_from(option->name);
    struct orch_str near = str_nearest(name, names, count);
    if (near.size) return wrong(usage, "unknown option --%.*s; did you mean --%.*s?", STR_ARG(name), STR_ARG(near));
    return wrong(usage, "unknown option --%.*s", STR_ARG(name));
}

/* Names the first one that is not there: of "RUN EVENT" with one given, EVENT. */
static int missing(const struct cli_usage *usage, uint32_t given)
{
    const char *name = usage->arguments;
    while (given-- > 0 && strchr(name, ' ')) name = strchr(name, ' ') + 1;
    return wrong(usage, "%.*s is missing", (int)strcspn(name, " ."), name);
}

static bool is_choice(const char *choices, struct orch_str value)
{
    for (struct orch_str rest = str_from(choices); rest.size;) {
        size_t end = str_find(rest, STR(","), 0);
        struct orch_str one = str_of(rest.data, end == SIZE_MAX ? rest.size : end);
        if (str_equal(one, value)) return true;
        if (end == SIZE_MAX) break;
        rest = str_of(rest.data + end + 1, rest.size - end - 1);
    }
    return false;
}

static int set(const struct cli_usage *usage, const struct cli_option *option, const char *value)
{
    switch (option->kind) {
    case OPTION_FLAG: *(bool *)option->target = true; return -1;
    case OPTION_TEXT: *(const char **)option->target = value; return -1;
    case OPTION_COUNT: {
        uint64_t number;
        if (!str_to_uint64(str_from(value), &number) || number < 1 || number > 1000000000)
            return wrong(usage, "--%s wants a count of 1 or more, not \"%s\"", option->name, value);
        *(uint32_t *)option->target = (uint32_t)number;
        return -1;
    }
    case OPTION_TIME: {
        struct orch_error err = ORCH_ERROR_INIT;
        if (duration_parse(str_from(value), option->target, &err))
            return wrong(usage, "--%s: %s%s%s", option->name, err.message, err.hint[0] ? "; " : "", err.hint);
        return -1;
    }
    case OPTION_CHOICE:
        if (!is_choice(option->choices, str_from(value))) return wrong(usage, "--%s is one of %s, not \"%s\"", option->name, option->choices, value);
        *(const char **)option->target = value;
        return -1;
    case OPTION_LIST: {
        struct option_list *list = option->target;
        if (list->count == LIST_MAX) return wrong(usage, "--%s is given more than %d times", option->name, LIST_MAX);
        const char **items = realloc(list->items, (list->count + 1) * sizeof *items);
        if (!items) return wrong(usage, "out of memory");
        items[list->count++] = value;
        list->items = items;
        return -1;
    }
    }
    return -1;
}

static int parse_long(const struct cli_usage *usage, int argc, char **argv, int *at)
{
    struct orch_str text = str_from(argv[*at] + 2);
    size_t equals = str_find(text, STR("="), 0);
    struct orch_str name = str_of(text.data, equals == SIZE_MAX ? text.size : equals);
    const struct cli_option *option = find(usage, name);
    if (!option) return unknown(usage, name);
    if (option->kind == OPTION_FLAG) {
        if (equals != SIZE_MAX) return wrong(usage, "--%s takes no value", option->name);
        return set(usage, option, NULL);
    }
    if (equals != SIZE_MAX) return set(usage, option, text.data + equals + 1);
    if (*at + 1 >= argc) return wrong(usage, "--%s wants %s", option->name, option->value);
    return set(usage, option, argv[++*at]);
}

static int parse_letters(const struct cli_usage *usage, int argc, char **argv, int *at)
{
    for (const char *letter = argv[*at] + 1; *letter; letter++) {
        const struct cli_option *option = find_letter(usage, *letter);
        if (!option) return wrong(usage, "unknown option -%c", *letter);
        if (option->kind == OPTION_FLAG) {
            int r = set(usage, option, NULL);
            if (r >= 0) return r;
            continue;
        }
        if (letter[1]) return set(usage, option, letter + 1);
        if (*at + 1 >= argc) return wrong(usage, "-%c wants %s", *letter, option->value);
        return set(usage, option, argv[++*at]);
    }
    return -1;
}

/* A verb's options stand in its function; argv that is this one asks for them. */
struct asking {
    void (*fn)(void *user, const struct cli_option *option);
    void *user;
};
static char asking_word[] = "--options";

void cli_options_of(const struct cli_verb *verb, void (*fn)(void *user, const struct cli_option *option), void *user)
{
    struct asking asking = {.fn = fn, .user = user};
    char *argv[] = {asking_word, (char *)(void *)&asking, NULL};
    (void)verb->run(2, argv);
}

int cli_parse(const struct cli_usage *usage, int argc, char **argv, int *ret_positionals)
{
    if (argv[0] == asking_word) { /* the very one: nobody can type it */
        const struct asking *asking = (const struct asking *)(void *)argv[1];
        for (const struct cli_option *option = usage->options; option && option->name; option++) asking->fn(asking->user, option);
        return EXIT_OK;
    }
    int count = 0;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        if (ended || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[1 + count++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            ended = true;
            continue;
        }
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            print_help(usage);
            return EXIT_OK;
        }
        int r = argv[i][1] == '-' ? parse_long(usage, argc, argv, &i) : parse_letters(usage, argc, argv, &i);
        if (r >= 0) return r;
    }
    if ((uint32_t)count < usage->positionals_min) return missing(usage, (uint32_t)count);
    if ((uint32_t)count > usage->positionals_max) return wrong(usage, "too much: \"%s\"", argv[1 + (int)usage->positionals_max]);
    *ret_positionals = count;
    return -1;
}
