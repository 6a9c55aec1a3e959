# SPDX-License-Identifier: ISC
require ["include", "variables"];
set "global.n" "${global.n}g";
