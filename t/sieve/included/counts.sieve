# SPDX-License-Identifier: ISC
require ["include", "variables"];
global "n";
set "n" "${n}x";
