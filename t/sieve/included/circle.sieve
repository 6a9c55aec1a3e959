# SPDX-License-Identifier: ISC
require "include";
include "circle_back";
