# SPDX-License-Identifier: ISC
frobnicate;
