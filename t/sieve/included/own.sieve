# SPDX-License-Identifier: ISC
require ["variables", "fileinto"];
if string "${v}" "" { set "v" "inner"; fileinto "Own"; }
