/*
 * replay.c - runs a fuzz target on every file of the folders given, without a fuzzer.
 */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

static int replay(const char *path)
{
    static unsigned char bytes[1 << 20];
    unsigned char *copy;
    size_t size;
    FILE *file = fopen(path, "rb");

    if (!file) {
        perror(path);
        return -1;
    }
    size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    copy = malloc(size > 0 ? size : 1); /* exactly as long, so that a look beyond it is seen */
    if (!copy) return -1;
    memcpy(copy, bytes, size);
    printf("%s\n", path); /* so that a crash names its file */
    fflush(stdout);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

/* Every file below a folder. */
static int replay_folder(const char *path, int *count)
{
    DIR *folder = opendir(path);

    if (!folder) {
        perror(path);
        return -1;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[4096];
        int r;

        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        r = entry->d_type == DT_DIR ? replay_folder(name, count) : replay(name);
        if (r != 0) {
            closedir(folder);
            return -1;
        }
        ++*count;
    }
    closedir(folder);
    return 0;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++)
        if (replay_folder(argv[i], &count) != 0) return 1;
    LLVMFuzzerTestOneInput((const unsigned char *)"", 0);
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1; /* no corpus is a mistake in the test's arguments */
}
