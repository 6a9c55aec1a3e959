# SPDX-License-Identifier: ISC
discard;
stop;
