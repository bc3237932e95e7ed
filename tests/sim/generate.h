/*
 * generate.h - definitions drawn from chance, over every construct of the language.
 */
#ifndef TEST_SIM_GENERATE_H
#define TEST_SIM_GENERATE_H

#include "base/str.h"
#include "core/retry.h"

/*
 * A valid definition, as YAML in the style of JSON.
 *
 * @param has_sub  whether tasks may be the workflow "other"
 */
void generate_definition(struct chance *chance, bool has_sub, struct buf *out);

#endif
