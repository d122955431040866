# SPDX-License-Identifier: BSD-2-Clause
"""A program for PyInstaller to make one of."""
import sys

sys.stdout.write("READY\n")
sys.stdout.flush()
sys.stdin.read()
