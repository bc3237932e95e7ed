/*
 * command.c - shell text that needs no shell.
 *
 * Source: construct_command_argv_internal() in GNU make's job.c, from which the characters and the words come. Where
 * make is bold (it takes backslashes apart itself, and runs /bin/echo for echo, which is not the shell's echo) this is
 * not: when in doubt, the shell.
 */
#include "actions/command.h"

#include "base/error.h"

/* Any of these outside quotes means something to a shell. The quotes are looked at first. */
static const char shell_characters[] = "#;*?[]&|<>(){}$`^~!\\\n\r";

/* Builtins and reserved words of POSIX, dash and bash. A builtin that only repeats a program faithfully (true, false)
 * is not among them. */
static const char *const shell_words[] = {
    ".",      ":",       "alias",   "bg",       "bind",      "break",    "builtin", "caller",  "case",    "cd",
    "chdir",  "command", "compgen", "complete", "compopt",   "continue", "coproc",  "declare", "dirs",    "disown",
    "do",     "done",    "echo",    "elif",     "else",      "enable",   "esac",    "eval",    "exec",    "exit",
    "export", "fc",      "fg",      "fi",       "for",       "function", "getopts", "hash",    "help",    "history",
    "if",     "in",      "jobs",    "kill",     "let",       "local",    "login",   "logout",  "mapfile", "popd",
    "printf", "pushd",   "pwd",     "read",     "readarray", "readonly", "return",  "select",  "set",     "shift",
    "shopt",  "source",  "suspend", "test",     "then",      "time",     "times",   "trap",    "type",    "typeset",
    "ulimit", "umask",   "unalias", "unset",    "until",     "wait",     "while",
};

static bool is_shell_word(struct orch_str word)
{
    for (size_t i = 0; i < sizeof(shell_words) / sizeof(shell_words[0]); i++) {
        if (str_is(word, shell_words[i])) return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Without blanks and line ends around it. */
static struct orch_str trim(struct orch_str text)
{
    while (text.size > 0 && (is_blank(text.data[0]) || text.data[0] == '\n'))
        text = str_of(text.data + 1, text.size - 1);
    while (text.size > 0 && (is_blank(text.data[text.size - 1]) || text.data[text.size - 1] == '\n')) text.size--;
    return text;
}

/*
 * Splits into words. Returns how many, 0 when it needs a shell. words and bytes have room for text.size + 1 each; words
 * may be NULL to count only.
 */
static uint32_t split(struct orch_str text, struct orch_str *words, char *bytes)
{
    uint32_t count = 0;
    size_t used = 0;

    for (size_t i = 0; i < text.size;) {
        size_t begin = used;
        bool has_quote = false;

        while (i < text.size && is_blank(text.data[i])) i++;
        if (i == text.size) break;
        while (i < text.size && !is_blank(text.data[i])) {
            char c = text.data[i++];

            if (c == '\'' || c == '"') {
                has_quote = true;
                while (i < text.size && text.data[i] != c) {
                    /* Inside double quotes the shell still looks at these. */
                    if (c == '"' && strchr("$`\\!", text.data[i])) return 0;
                    if (text.data[i] == '\n') return 0;
                    bytes[used++] = text.data[i++];
                }
                if (i == text.size) return 0; /* not closed: the shell shall say so */
                i++;
                continue;
            }
            if (strchr(shell_characters, c)) return 0;
            if (c == '=' && count == 0) return 0; /* an assignment */
            bytes[used++] = c;
        }
        words[count++] = str_of(bytes + begin, used - begin);
        bytes[used++] = '\0';
        if (count == 1 && (words[0].size == 0 || has_quote || is_shell_word(words[0]))) return 0;
    }
    return count;
}

int command_parse(struct orch_str text, struct arena *arena, struct command *ret, struct orch_error *err)
{
    struct orch_str inner = trim(text), *words;
    char *bytes;
    uint32_t count;

    if (inner.size == 0) return error_set(err, ORCH_ERR_INVALID, "the command is empty");
    if (memchr(text.data, '\0', text.size)) return error_set(err, ORCH_ERR_INVALID, "the command holds a NUL byte");
    if (inner.size <= 4096) { /* longer texts are scripts */
        struct arena_mark mark = arena_mark(arena);

        words = ARENA_ARRAY(arena, inner.size / 2 + 1, struct orch_str);
        bytes = arena_bytes(arena, inner.size + 1);
        if (!words || !bytes) return error_memory(err);
        count = split(inner, words, bytes);
        if (count > 0) {
            *ret = (struct command){.argv = words, .argv_count = count};
            return 0;
        }
        arena_rewind(arena, mark);
    }
    words = ARENA_ARRAY(arena, 3, struct orch_str);
    if (!words) return error_memory(err);
    words[0] = STR(COMMAND_SHELL);
    words[1] = STR("-c");
    words[2] = text;
    *ret = (struct command){.argv = words, .argv_count = 3, .is_shell = true};
    return 0;
}
