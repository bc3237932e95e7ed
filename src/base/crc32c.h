/*
 * crc32c.h - the checksum of records: CRC-32C (Castagnoli), as in RFC 3720 appendix B.4, iSCSI, ext4 and LevelDB.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "str.h"

/* The checksum of all of it; "123456789" gives 0xE3069283. Same on every machine. */
uint32_t crc32c(struct orch_str bytes);
/* The checksum of what `crc` covers followed by `bytes`; 0 begins. */
uint32_t crc32c_extend(uint32_t crc, struct orch_str bytes);
/* The way without the processor's instruction, for tests to compare. */
uint32_t crc32c_extend_portable(uint32_t crc, struct orch_str bytes);

#endif
