"""Slow proofs: attacks on real processes, and the one command that runs every campaign there is."""

from __future__ import annotations
