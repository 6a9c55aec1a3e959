# SPDX-License-Identifier: ISC
"""Helpers of the black-box tests; doc/TESTING.md says how to use them."""
