/* SPDX-License-Identifier: ISC */
/* encoded-character (RFC 5228 section 2.4.2.4): the work is done where strings are compiled */
#include "sieve/extensions_int.h"

const struct extension ext_encoded_character = {.name = "encoded-character"};
