"""The inner modules as C extensions: made by mypyc from the same sources, and used in their place.

`scripts/compile` makes them; nothing needs them. What is compiled stands in the environment, not
beside its sources, and `finder` lets it in as long as every source is the one that was compiled.
"""
