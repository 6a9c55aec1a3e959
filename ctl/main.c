/* SPDX-License-Identifier: ISC */
/*
 * popstore - the management utility; all of it is in the other files here
 */
#include "ctl/ctl.h"

int main(int argc, char **argv)
{
	return ctl_run(argc, argv);
}
