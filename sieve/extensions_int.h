/* SPDX-License-Identifier: ISC */
/*
 * extensions - a record for each, in ext_<name>.c; the base language is core_*.c
 */
#ifndef EXTENSIONS_INT_H
#define EXTENSIONS_INT_H

#include "sieve/define_int.h"

extern const struct extension core_control, core_actions, core_tests, core_matching;
extern const struct extension ext_comparator_octet, ext_comparator_ascii_casemap;
extern const struct extension ext_comparator_numeric, ext_comparator_unicode;
extern const struct extension ext_fileinto, ext_envelope, ext_encoded_character;
extern const struct extension ext_copy, ext_relational, ext_subaddress, ext_variables;
extern const struct extension ext_imap4flags, ext_reject, ext_ereject;
extern const struct extension ext_vacation, ext_vacation_seconds, ext_body, ext_regex;
extern const struct extension ext_date, ext_index, ext_ihave, ext_include,
	ext_environment;
extern const struct extension ext_enotify, ext_mailbox, ext_mboxmetadata;
extern const struct extension ext_servermetadata, ext_duplicate, ext_editheader, ext_mime;
extern const struct extension ext_foreverypart, ext_extracttext, ext_spamtest;
extern const struct extension ext_spamtestplus, ext_virustest, ext_special_use, ext_fcc;
extern const struct extension ext_extlists, ext_redirect_dsn, ext_redirect_deliverby;
extern const struct extension ext_testsuite;

#endif
