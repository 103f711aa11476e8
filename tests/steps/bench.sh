# The figures of PROMISES.md.
# shellcheck shell=bash
