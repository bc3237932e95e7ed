/*
 * doctor.c - orch doctor: looks at a whole store and names what is wrong with it; copies what can be read of a damaged
 * one.
 */
#include "cli/cli.h"

#include <sys/stat.h>

#include "base/error.h"
#include "cli/doctor_host.h"
#include "cli/tree.h"
#include "store/check.h"

#define EXIT_DAMAGED   12 /* ORCH_ERR_CORRUPT's */
#define FINDINGS_SHOWN 100

struct doctor {
    const char *store_option, *salvage, *format;
    struct arena arena;
    struct orch_str path;
    bool is_json, is_short; /* is_short: something could not be told for want of memory */
    uint32_t findings;      /* told */
    struct buf json;   /* the findings */
    struct check_counts counts;
    struct doctor_host host;
    struct orch_error err;
};

/* ---- findings ---- */

static void put_number(struct buf *out, const char *name, int64_t number)
{
    buf_printf(out, ",\"%s\":%lld", name, (long long)number);
}

static void put_finding_json(struct doctor *doctor, const struct check_finding *finding)
{
    struct buf *out = &doctor->json;
    buf_printf(out, "%s{\"subject\":\"%s\",\"damage\":%s", doctor->findings ? ",\n  " : "\n  ",
               check_subject_to_string(finding->subject), finding->is_damage ? "true" : "false");
    if (finding->file && finding->file[0]) {
        buf_add_text(out, ",\"file\":");
        json_format_string(str_from(finding->file), out);
    }
    if (finding->size > 0) {
        put_number(out, "offset", finding->offset);
        put_number(out, "size", finding->size);
    }
    if (finding->bit >= 0) put_number(out, "bit", finding->bit);
    if (finding->number > 0) {
        char id[20];
        store_execution_id(finding->number, id);
        buf_printf(out, ",\"run\":\"%s\"", id);
    }
    if (finding->sequence > 0) {
        put_number(out, "sequence", (int64_t)finding->sequence);
        put_number(out, "last_good_sequence", (int64_t)finding->sequence_good);
    }
    buf_add_text(out, ",\"message\":");
    json_format_string(str_from(finding->message), out);
    if (finding->mend && finding->mend[0]) {
        buf_add_text(out, ",\"mend\":");
        json_format_string(str_from(finding->mend), out);
    }
    buf_add_char(out, '}');
}

/* "journal of run r-7Q2K, orch.db: sequence number 12, last good 11: ..." */
static void print_finding(struct doctor *doctor, const struct check_finding *finding)
{
    bool color = cli_style.color_out;
    enum cli_color shade = finding->is_damage ? COLOR_RED : COLOR_YELLOW;
    struct buf text;
    buf_init(&text, NULL, 4096);
    buf_add_text(&text, check_subject_to_string(finding->subject));
    if (finding->number > 0) {
        char id[20];
        store_execution_id(finding->number, id);
        buf_printf(&text, " of run %s", id);
    }
    if (finding->file && finding->file[0]) buf_printf(&text, ", %s", finding->file);
    if (finding->size > 0)
        buf_printf(&text, " bytes %lld to %lld", (long long)finding->offset,
                   (long long)(finding->offset + finding->size - 1));
    if (finding->sequence > 0)
        buf_printf(&text, ", sequence number %llu (last good: %llu)", (unsigned long long)finding->sequence,
                   (unsigned long long)finding->sequence_good);
    buf_printf(&text, ": %s", finding->message);
    if (finding->bit >= 0)
        buf_printf(&text, " (byte %lld, bit %d)", (long long)(finding->bit / 8), (int)(finding->bit % 8));
    if (text.failed) doctor->is_short = true;
    printf("%s%s%s ", cli_color(color, shade), finding->is_damage ? "damaged:" : "note:", cli_color_end(color, shade));
    cli_put_clean(buf_str(&text), 0);
    fputc('\n', stdout);
    if (finding->mend && finding->mend[0]) printf("  = help: %s\n", finding->mend);
    buf_done(&text);
}

static void on_finding(void *user, const struct check_finding *finding)
{
    struct doctor *doctor = user;
    if (doctor->is_json)
        put_finding_json(doctor, finding);
    else if (doctor->findings < FINDINGS_SHOWN)
        print_finding(doctor, finding);
    doctor->findings++;
}

static void note(struct doctor *doctor, enum check_subject subject, const char *message, const char *mend)
{
    struct check_finding finding = {.subject = subject, .bit = -1, .mend = mend};
    struct buf text;
    buf_init(&text, NULL, sizeof finding.message);
    buf_add_text(&text, message);
    if (text.failed) doctor->is_short = true;
    if (text.size < sizeof finding.message) memcpy(finding.message, text.data, text.size);
    buf_done(&text);
    on_finding(doctor, &finding);
}

/* ---- the machine ---- */

static void note_host(struct doctor *doctor)
{
    const struct doctor_host *host = &doctor->host;
    if (host->processes > 0) {
        struct orch_str text =
            arena_printf(&doctor->arena, "%u processes that a run of this store has started are left", host->processes);
        note(doctor, CHECK_DIRECTORY, text.data ? text.data : "processes are left",
             "the next command that runs something ends them");
    }
    if (host->has_disk && host->disk_free < (64u << 20))
        note(doctor, CHECK_DIRECTORY, "the disk is nearly full", "make room: nothing new starts on a full disk");
    if (host->has_disk && host->inodes_size > 0 && host->inodes_free < 1000)
        note(doctor, CHECK_DIRECTORY, "the file system has nearly no inodes left", "remove small files");
}

static void put_size(struct buf *out, uint64_t size)
{
    size_format(size, out);
}

static void print_host(struct doctor *doctor)
{
    const struct doctor_host *host = &doctor->host;
    struct buf text;
    buf_init(&text, NULL, 256);
    if (host->has_disk) {
        put_size(&text, host->disk_free);
        buf_add_text(&text, " of ");
        put_size(&text, host->disk_size);
        if (text.failed) doctor->is_short = true;
        printf("disk        %.*s free", STR_ARG(buf_str(&text)));
        if (host->inodes_size > 0) printf(", %llu inodes free", (unsigned long long)host->inodes_free);
        fputc('\n', stdout);
    }
    buf_done(&text);
    printf("cgroups     %s\n", host->has_cgroup ? "yes: what a task started is ended as one"
                                                : "no: what a task started is found by its marks");
    printf("time zones  %s\n", host->has_zones ? "yes" : "no zone files: expressions know UTC only (install tzdata)");
    if (doctor->counts.mark[0] && !doctor->counts.is_owned) printf("processes   %u left\n", host->processes);
}

static void put_host_json(const struct doctor *doctor, struct buf *out)
{
    const struct doctor_host *host = &doctor->host;
    buf_printf(out, ",\n \"host\":{\"cgroups\":%s,\"zones\":%s", host->has_cgroup ? "true" : "false",
               host->has_zones ? "true" : "false");
    if (host->has_disk) {
        put_number(out, "disk_free", (int64_t)host->disk_free);
        put_number(out, "disk_size", (int64_t)host->disk_size);
        if (host->inodes_size > 0) put_number(out, "inodes_free", (int64_t)host->inodes_free);
    }
    buf_add_text(out, ",\"processes\":[");
    for (uint32_t i = 0; i < host->processes && i < DOCTOR_PIDS_MAX; i++)
        buf_printf(out, "%s%d", i ? "," : "", host->pids[i]);
    buf_add_text(out, "]}");
}

/* ---- the answer ---- */

static void print_counts(struct doctor *doctor)
{
    const struct check_counts *counts = &doctor->counts;
    struct buf size;
    buf_init(&size, NULL, 64);
    put_size(&size, counts->bytes);
    if (size.failed) doctor->is_short = true;
    printf("store       ");
    cli_put_clean(doctor->path, 0);
    if (counts->is_owned)
        printf(", owned by process %d\n", counts->owner);
    else
        printf(", owned by nobody\n");
    printf("read        %.*s: %llu pages, %llu frames of the log\n", STR_ARG(buf_str(&size)),
           (unsigned long long)counts->pages, (unsigned long long)counts->frames);
    printf("runs        %llu, of which %llu are not over; %llu records, %llu transitions\n",
           (unsigned long long)counts->executions, (unsigned long long)counts->alive,
           (unsigned long long)counts->records, (unsigned long long)counts->transitions);
    printf("beside      %llu definitions, %llu large outputs (%llu unused), %llu logs\n",
           (unsigned long long)counts->definitions, (unsigned long long)counts->blobs,
           (unsigned long long)counts->blobs_unused, (unsigned long long)counts->logfiles);
    buf_done(&size);
}

/* The end of both kinds of JSON: the findings; then it is written. Gives the buffer back. */
static int print_json(struct doctor *doctor, struct buf *out)
{
    buf_add_text(out, ",\n \"findings\":[");
    buf_add(out, buf_str(&doctor->json));
    buf_add_text(out, "]}\n");
    bool failed = out->failed || doctor->json.failed;
    if (!failed) fwrite(out->data, 1, out->size, stdout);
    buf_done(out);
    return failed ? error_memory(&doctor->err) : 0;
}

static int print_all_json(struct doctor *doctor, bool has_store)
{
    const struct check_counts *counts = &doctor->counts;
    struct buf out;
    buf_init(&out, NULL, 0);
    buf_add_text(&out, "{\"v\":1,\"store\":");
    if (has_store)
        json_format_string(doctor->path, &out);
    else
        buf_add_text(&out, "null");
    if (has_store) {
        buf_printf(&out, ",\"damaged\":%s,\"owned\":%s", counts->damaged ? "true" : "false",
                   counts->is_owned ? "true" : "false");
        if (counts->is_owned) put_number(&out, "owner", counts->owner);
        if (counts->schema) put_number(&out, "schema", counts->schema);
        buf_printf(&out, ",\n \"counts\":{\"runs\":%llu", (unsigned long long)counts->executions);
        put_number(&out, "alive", (int64_t)counts->alive);
        put_number(&out, "records", (int64_t)counts->records);
        put_number(&out, "transitions", (int64_t)counts->transitions);
        put_number(&out, "definitions", (int64_t)counts->definitions);
        put_number(&out, "blobs", (int64_t)counts->blobs);
        put_number(&out, "blobs_unused", (int64_t)counts->blobs_unused);
        put_number(&out, "logs", (int64_t)counts->logfiles);
        put_number(&out, "pages", (int64_t)counts->pages);
        put_number(&out, "frames", (int64_t)counts->frames);
        put_number(&out, "bytes", (int64_t)counts->bytes);
        buf_add_text(&out, "}");
    }
    put_host_json(doctor, &out);
    return print_json(doctor, &out);
}

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int look(struct doctor *doctor)
{
    bool has_store = is_directory(doctor->path.data);
    if (!has_store && doctor->store_option) {
        error_set(&doctor->err, ORCH_ERR_NOT_FOUND, "there is no store at %.*s", STR_ARG(doctor->path));
        error_hint(&doctor->err, "orch run FILE  makes one beside the file; name another with --store DIR");
        return ORCH_ERR_NOT_FOUND;
    }
    int r = has_store ? store_check(doctor->path.data, on_finding, doctor, &doctor->counts, &doctor->err) : 0;
    if (r) return r;
    /* The programs of a live owner are no left ones. */
    struct orch_str mark = doctor->counts.is_owned ? STR_NONE : str_from(doctor->counts.mark);
    if (doctor_look_at_host(has_store ? doctor->path.data : ".", mark, &doctor->host)) return error_memory(&doctor->err);
    note_host(doctor);
    if (doctor->is_json) return print_all_json(doctor, has_store);
    if (doctor->findings > FINDINGS_SHOWN) printf("... %u more: -o json  has all\n", doctor->findings - FINDINGS_SHOWN);
    if (doctor->findings) fputc('\n', stdout);
    if (has_store)
        print_counts(doctor);
    else
        printf("store       none yet: orch run FILE  makes one beside the file\n");
    print_host(doctor);
    if (has_store && doctor->counts.damaged)
        printf("\n%llu damaged; nothing was changed\n", (unsigned long long)doctor->counts.damaged);
    else if (has_store)
        puts("\nno damage");
    return doctor->is_short ? error_memory(&doctor->err) : 0;
}

/* ---- salvage ---- */

static int print_salvage_json(struct doctor *doctor, const struct salvage_counts *counts)
{
    struct buf out;
    buf_init(&out, NULL, 0);
    buf_add_text(&out, "{\"v\":1,\"store\":");
    json_format_string(doctor->path, &out);
    buf_add_text(&out, ",\"to\":");
    json_format_string(str_from(doctor->salvage), &out);
    put_number(&out, "runs", (int64_t)counts->executions);
    put_number(&out, "runs_cut", (int64_t)counts->executions_cut);
    put_number(&out, "runs_lost", (int64_t)counts->executions_lost);
    put_number(&out, "rows_made", (int64_t)counts->rows_made);
    put_number(&out, "records", (int64_t)counts->records);
    put_number(&out, "definitions", (int64_t)counts->definitions);
    put_number(&out, "blobs", (int64_t)counts->blobs);
    put_number(&out, "logs", (int64_t)counts->logfiles);
    put_number(&out, "logs_lost", (int64_t)counts->logfiles_lost);
    put_number(&out, "bits", (int64_t)counts->bits);
    return print_json(doctor, &out);
}

static int salvage(struct doctor *doctor, int *ret_exit)
{
    struct salvage_counts counts;
    struct check_counts after;
    if (!is_directory(doctor->path.data))
        return error_set(&doctor->err, ORCH_ERR_NOT_FOUND, "there is no store at %.*s", STR_ARG(doctor->path));
    int r = store_salvage(doctor->path.data, doctor->salvage, on_finding, doctor, &counts, &doctor->err);
    if (r) return r;
    bool is_less = counts.is_log_cut || counts.rows_made || counts.executions_cut || counts.executions_lost || counts.definitions_lost ||
                   counts.logfiles_lost;
    *ret_exit = is_less ? EXIT_DAMAGED : EXIT_OK;
    if (doctor->is_json) {
        r = print_salvage_json(doctor, &counts);
    } else {
        if (doctor->findings > FINDINGS_SHOWN)
            printf("... %u more: -o json  has all\n", doctor->findings - FINDINGS_SHOWN);
        if (doctor->findings) fputc('\n', stdout);
        printf("copied      to ");
        cli_put_clean(str_from(doctor->salvage), 0);
        printf("\nruns        %llu whole, %llu in part, %llu lost\n", (unsigned long long)counts.executions,
               (unsigned long long)counts.executions_cut, (unsigned long long)counts.executions_lost);
        printf("beside      %llu records, %llu definitions, %llu large outputs, %llu logs\n",
               (unsigned long long)counts.records, (unsigned long long)counts.definitions,
               (unsigned long long)counts.blobs, (unsigned long long)counts.logfiles);
        if (counts.bits) printf("put right   %llu single bits\n", (unsigned long long)counts.bits);
        puts(is_less ? "\nwhat is missing is named above; the old store is as it was"
                     : "\nnothing is missing; the old store is as it was");
        if (counts.executions_cut)
            puts("a run that came in part does again, when it goes on, what its lost records told of");
    }
    /* It was made by us and just now: a copy that is not well is our fault and has to be known. */
    if (!r) r = store_check(doctor->salvage, NULL, NULL, &after, &doctor->err);
    if (!r && after.damaged) r = error_set(&doctor->err, ORCH_ERR_INTERNAL, "the copy has damage of its own");
    return r;
}

int cli_doctor(int argc, char **argv)
{
    struct doctor doctor = {.format = "table"};
    const struct cli_option options[] = {
        {"store", 0, OPTION_TEXT, &doctor.store_option, "DIR", "the store to look at", NULL},
        {"salvage", 0, OPTION_TEXT, &doctor.salvage, "DIR", "copy what can be read into a new store there", NULL},
        {"output", 'o', OPTION_CHOICE, &doctor.format, "FORMAT", "how to print", "table,json"},
        {0}};
    const struct cli_usage usage = {
        .verb = "doctor",
        .arguments = "",
        .summary = "Reads all of a store and names what is damaged (exit code 12); changes nothing",
        .examples = "  orch doctor\n  orch doctor --store etl/.orch -o json\n  orch doctor --salvage rescued/.orch",
        .options = options};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    int code = EXIT_OK;
    doctor.is_json = strcmp(doctor.format, "json") == 0;
    arena_init(&doctor.arena, NULL, 0);
    buf_init(&doctor.json, NULL, 0);
    doctor.path = cli_store_path(doctor.store_option, NULL, &doctor.arena);
    if (!doctor.path.data)
        r = error_memory(&doctor.err);
    else
        r = doctor.salvage ? salvage(&doctor, &code) : look(&doctor);
    if (!r && doctor.counts.damaged) code = EXIT_DAMAGED;
    buf_done(&doctor.json);
    arena_done(&doctor.arena);
    return r ? cli_error(&doctor.err) : code;
}
