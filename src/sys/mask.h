/*
 * mask.h - hiding secret values in text. (Interface agreed with the engine.)
 */
#ifndef SYS_MASK_H
#define SYS_MASK_H

#include "base/arena.h"

/* text with every occurrence of a secret (of 4 bytes or more) replaced by "***". The text itself when there is none;
 * else made in the arena. data NULL when memory is short. */
struct orch_str mask_secrets(struct orch_str text, const struct orch_str *secrets, uint32_t count, struct arena *arena);

/*
 * Where text that goes on may be cut, so that no secret lies across the cut: at its end, or before that where the end
 * is the beginning of a secret.
 */
size_t mask_safe_cut(struct orch_str text, const struct orch_str *secrets, uint32_t count);

#endif
