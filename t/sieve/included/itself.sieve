# SPDX-License-Identifier: ISC
require "include";
include "itself";
