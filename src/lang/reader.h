/*
 * reader.h - inside of lang: a reading in progress, as the files read*.c share it. They read documents in normal form.
 *
 * Functions return 0 or ORCH_ERR_NO_MEMORY; what is wrong with the definition goes to diags and reading goes on.
 */
#ifndef LANG_READER_H
#define LANG_READER_H

#include "lang/normal.h"
#include "lang/read.h"

#define TASKS_MAX      2000000u
#define EDGES_MAX      20000000u
#define PARAMETERS_MAX 1000
#define POOLS_MAX      1000
#define TEXT_MAX       ((size_t)1 << 20) /* bytes of one text of a definition */
#define DURATION_MAX   ((orch_time)10 * 366 * 86400 * ORCH_SECOND)

struct reader {
    struct reading base;
    struct block **blocks; /* all so far */
    uint32_t block_count, block_capacity;
    uint32_t task_count;
    uint32_t edge_count;
    bool full; /* a limit was reached and said once */
    struct pool *pools;
    uint32_t pool_count, pool_capacity;
    struct map pools_by_name;
};

/* Where an expression stands: what its site is made from. */
struct where {
    const struct task *task;
    const struct block *block;
    enum site_kind kind;
};

enum block_mode { MODE_DAG, MODE_SEQUENCE, MODE_PARALLEL };

/* ---- read.c ---- */

static inline struct diags *reader_diags(struct reader *reader)
{
    return reader->base.diags;
}
/* Adds a block to the workflow; its tasks are zeroed, their ids are the caller's to set. NULL when memory is short. */
struct block *reader_block(struct reader *reader, const struct task *owner, enum block_role role, uint32_t task_count);
/* The index of a pool, made when it is not there; -1 when memory is short. */
int reader_pool(struct reader *reader, struct orch_str name, bool *ret_added);

/* ---- read_task.c ---- */

/* A map or list of tasks. *ret stays NULL when there are more tasks than allowed. */
int read_block(struct reader *reader, const struct doc_node *tasks, enum block_mode mode, enum block_role role,
               const struct task *owner, const struct block **ret);
/* on_error, compensate, finally. */
int read_handler(struct reader *reader, const struct doc_node *node, enum block_role role, const struct task *owner,
                 const struct block **ret);
enum block_mode read_mode(const struct doc_node *node); /* NULL: dag */

/* ---- read_options.c ---- */

int read_env(struct reader *reader, const struct doc_node *node, struct where where, const struct env_entry **ret,
             uint32_t *ret_count);
/* A list of texts, each once; a text given twice is an error. */
int read_names(struct reader *reader, const struct doc_node *node, const struct orch_str **ret, uint32_t *ret_count);
int read_retry(struct reader *reader, const struct doc_node *node, const struct retry_policy **ret);
int read_pools(struct reader *reader, const struct doc_node *node, const struct pool_need **ret, uint32_t *ret_count);
int read_loop(struct reader *reader, const struct doc_node *node, struct where where, const struct loop **ret,
              bool *ret_fail_fast);
int read_repeat(struct reader *reader, const struct doc_node *node, struct where where, const struct repeat **ret);

/* ---- read_action.c ---- */

/* `beside`: the task's own working_dir and stdin, or NULL each. */
struct beside {
    const struct doc_node *working_dir, *stdin_text;
};
int read_action(struct reader *reader, enum action_kind kind, const struct doc_node *node, const struct beside *beside,
                struct where where, const struct action **ret);

/* ---- read_text.c ---- */

/* A copy in the model's arena. */
int read_str(struct reader *reader, struct orch_str text, struct orch_str *ret);
/* A number in normal form that fits, checked before. */
int64_t read_integer(const struct doc_node *node);
double read_number(const struct doc_node *node);
bool read_bool(const struct doc_node *node);
/* Reports what is no duration, or longer than 10 years, or zero unless `zero`; *ret is 0 then. */
void read_duration(struct reader *reader, const struct doc_node *node, bool zero, orch_time *ret);
int read_value(struct reader *reader, const struct doc_node *node, struct value *ret);
/* An expression, or one lone template. *ret stays NULL when it is wrong. */
int read_expression(struct reader *reader, const struct doc_node *node, struct where where, const struct expr **ret);
/* Any value; strings in it may be templates. */
int read_template(struct reader *reader, const struct doc_node *node, struct where where, struct template *ret);
/* A map of members whose keys are kept; `constant`: all values are VALUE, then so is the whole. */
int template_from_members(struct reader *reader, const struct template_member *members, uint32_t count, bool constant,
                          struct template *ret);
/* The place of a character of a scalar's text, 1 is the first; *ret_exact false: not known, the place is that of the
 * scalar. */
struct span place_in(const struct doc_node *node, uint32_t column, bool *ret_exact);
/* Reports a template in the text of a program. True when there is one. */
bool refuse_template(struct reader *reader, const struct doc_node *node, const char *key);
/* Task ids and names that mean something of their own. */
bool name_is_reserved(struct orch_str name);

/* parameters.c */
int read_parameters(struct reader *reader, const struct doc_node *node);

#endif
