# SPDX-License-Identifier: ISC
require ["include", "fileinto"];
fileinto "Before";
if true { return; }
fileinto "After";
