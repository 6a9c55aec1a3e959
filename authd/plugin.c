/* SPDX-License-Identifier: ISC */
#include "authd/plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* What the library asks in plugin_begin(), of which there is one in a process. */
static const struct settings *settings;
static const struct rules *all_rules;
static plugin_lookup_fn *own_lookup;
static char auxprop_names[512];

/* ---- mutexes ------------------------------------------------------------------------ */

static void *mutex_new(void)
{
	pthread_mutex_t *m = xalloc(sizeof *m);

	must(pthread_mutex_init(m, NULL) == 0);
	return m;
}

static int mutex_lock(void *m)
{
	return pthread_mutex_lock(m) == 0 ? SASL_OK : SASL_FAIL;
}

static int mutex_unlock(void *m)
{
	return pthread_mutex_unlock(m) == 0 ? SASL_OK : SASL_FAIL;
}

static void mutex_free(void *m)
{
	pthread_mutex_destroy(m);
	xfree(&m);
}

/* ---- callbacks ---------------------------------------------------------------------- */

static int option(const char *name, const char **result, unsigned *length)
{
	for (size_t i = 0; i < settings->auth.sasl_options.n; i++) {
		struct str value = str_of(settings->auth.sasl_options.v[i]);

		if (!str_eq(str_word(&value), str_of(name)))
			continue;
		*result = value.p; /* up to the NUL at its end */
		if (length != NULL)
			*length = (unsigned)value.n;
		return SASL_OK;
	}
	return SASL_FAIL;
}

static int get_option(void *ctx UNUSED, const char *plugin UNUSED, const char *name,
		      const char **result, unsigned *length)
{
	static const char *const fixed[][2] = {
		{"auxprop_plugin", auxprop_names},
		{"pwcheck_method", "none"},
		{"log_level", "1"},
	};

	for (size_t i = 0; i < countof(fixed); i++)
		if (strcmp(name, fixed[i][0]) == 0) {
			*result = fixed[i][1];
			if (length != NULL)
				*length = (unsigned)strlen(*result);
			return SASL_OK;
		}
	if (strcmp(name, "keytab") == 0 && settings->auth.keytab[0] != '\0') {
		*result = settings->auth.keytab;
		return SASL_OK;
	}
	return option(name, result, length);
}

static int get_path(void *ctx UNUSED, const char **path)
{
	*path = settings->auth.sasl_plugin_path;
	return SASL_OK;
}

/* is_file - "libscram.so.2.0.25" is "libscram" */
static bool is_file(struct str file, struct str name)
{
	return str_starts(file, name) && file.n > name.n && file.p[name.n] == '.';
}

static bool is_of_mechanism(struct str file)
{
	unsigned set = rules_all_mechanisms(all_rules);

	for (unsigned i = 0; i < MECHANISMS; i++)
		if (set & MECHANISM_BIT(i) && mechanisms[i].plugin != NULL &&
		    is_file(file, str_of(mechanisms[i].plugin)))
			return true;
	return false;
}

static bool is_of_source(struct str file)
{
	const struct source *s;

	for (size_t i = 0; (s = rules_source(all_rules, i)) != NULL; i++) {
		char name[SOURCE_TEXT + 4];

		snprintf(name, sizeof name, "lib%s", s->name);
		if (source_is_plugin(s) && is_file(file, str_of(name)))
			return true;
	}
	return false;
}

/* may_open - the library asks before dlopen(3); a file that is not wanted is passed over */
static int may_open(void *ctx UNUSED, const char *path, sasl_verify_type_t type)
{
	const char *slash = strrchr(path, '/');
	struct str file = str_of(slash ? slash + 1 : path);

	if (type == SASL_VRFY_PLUGIN && !is_of_mechanism(file) && !is_of_source(file))
		return SASL_CONTINUE;
	return type == SASL_VRFY_CONF ? SASL_CONTINUE : SASL_OK;
}

/* Whoever chooses the answer writes the line. */
static int say_nothing(void *ctx UNUSED, int level UNUSED, const char *text UNUSED)
{
	return SASL_OK;
}

static const sasl_callback_t callbacks[] = {
	{SASL_CB_GETOPT, PLUGIN_CALLBACK(get_option), NULL},
	{SASL_CB_GETPATH, PLUGIN_CALLBACK(get_path), NULL},
	{SASL_CB_VERIFYFILE, PLUGIN_CALLBACK(may_open), NULL},
	{SASL_CB_LOG, PLUGIN_CALLBACK(say_nothing), NULL},
	{SASL_CB_LIST_END, NULL, NULL},
};

/* ---- our own auxprop plug-in ---------------------------------------------------------- */

static char own_name[] = PLUGIN_OWN;

static int look_up(void *global, sasl_server_params_t *params, unsigned flags,
		   const char *user, unsigned length)
{
	return own_lookup(global, params, flags, user, length);
}

static sasl_auxprop_plug_t own = {.auxprop_lookup = look_up, .name = own_name};

static int init_own(const sasl_utils_t *utils UNUSED, int max_version, int *version,
		    sasl_auxprop_plug_t **plug, const char *name UNUSED)
{
	if (max_version < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*version = SASL_AUXPROP_PLUG_VERSION;
	*plug = &own;
	return SASL_OK;
}

/* ---- start and end ------------------------------------------------------------------ */

static bool has(const char *const *list, const char *name)
{
	while (list != NULL && *list != NULL)
		if (str_ieq(str_of(*list++), str_of(name)))
			return true;
	return false;
}

unsigned plugin_mechanisms(void)
{
	const char *const *list = (const char *const *)sasl_global_listmech();
	unsigned set = 0;

	for (unsigned i = 0; i < MECHANISMS; i++) {
		char name[32];

		/* A connection with a binding has them, the list not. */
		snprintf(name, sizeof name, "%s", mechanisms[i].name);
		if (mechanisms[i].needs & NEEDS_BINDING)
			name[strlen(name) - (sizeof "-PLUS" - 1)] = '\0';
		if (mechanisms[i].needs & NO_SASL || has(list, name))
			set |= MECHANISM_BIT(i);
	}
	return set;
}

/* name_plugins - of sources, for the library to have them at hand; ours last */
static void name_plugins(void)
{
	const struct source *s;
	size_t n = 0;

	for (size_t i = 0; (s = rules_source(all_rules, i)) != NULL; i++)
		if (source_is_plugin(s) &&
		    n + strlen(s->name) + sizeof PLUGIN_OWN + 2 < sizeof auxprop_names)
			n += (size_t)snprintf(auxprop_names + n, sizeof auxprop_names - n,
					      "%s ", s->name);
	snprintf(auxprop_names + n, sizeof auxprop_names - n, "%s", PLUGIN_OWN);
}

/* Whether the library has a plug-in that knows passwords, as it tells. */
struct sought {
	struct str name;
	bool found;
};

static void is_it(sasl_auxprop_plug_t *m, sasl_info_callback_stage_t stage UNUSED,
		  void *ctx)
{
	struct sought *s = ctx;

	if (m != NULL && str_eq(s->name, str_of(m->name)))
		s->found = true;
}

static int missing(struct err *e, const char *what)
{
	return err_set(
		e, ERR_PERM, "5.3.5",
		"Cyrus SASL has no plug-in for %s in %s: on Debian, plug-ins are in "
		"the packages libsasl2-modules, -db, -ldap, -gssapi-mit and -sql",
		what, settings->auth.sasl_plugin_path);
}

/* check_sources - a plug-in that is not there would answer with trouble at each login */
static int check_sources(struct err *e)
{
	const struct source *s;

	for (size_t i = 0; (s = rules_source(all_rules, i)) != NULL; i++) {
		struct sought sought = {.name = str_of(s->name)};

		if (!source_is_plugin(s))
			continue;
		auxprop_plugin_info(NULL, is_it, &sought);
		if (!sought.found)
			return missing(e, s->text);
	}
	return 0;
}

/* check_mechanisms - what a rule names and nobody has would be refused without a word */
static int check_mechanisms(struct err *e)
{
	static const unsigned any_machine = NEEDS_CLEAR_TEXT | NEEDS_BINDING;
	unsigned lacks = rules_all_mechanisms(all_rules) & ~plugin_mechanisms();

	for (unsigned i = 0; i < MECHANISMS; i++)
		if (lacks & MECHANISM_BIT(i) && (mechanisms[i].needs & any_machine) == 0)
			return missing(e, mechanisms[i].name);
	return 0;
}

int plugin_begin(const struct settings *set, const struct rules *rules,
		 plugin_lookup_fn *lookup, struct err *e)
{
	int rc;

	settings = set;
	all_rules = rules;
	own_lookup = lookup;
	name_plugins();
	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
	rc = sasl_auxprop_add_plugin(PLUGIN_OWN, init_own);
	if (rc == SASL_OK)
		rc = sasl_server_init(callbacks, "popstore");
	if (rc != SASL_OK)
		return err_set(e, ERR_PERM, "5.3.5", "start Cyrus SASL: %s",
			       sasl_errstring(rc, NULL, NULL));
	if (check_mechanisms(e) == 0 && check_sources(e) == 0)
		return 0;
	sasl_server_done();
	return -1;
}

void plugin_end(void)
{
	sasl_server_done();
}
