"""The lab: one scenario played thousands of times, over its parameters and over paths of prices.

`plan` says what is to be played, `runs` plays one run and `measures` watches it, `pool` has them
played by all cores or by a Dask cluster, `journal` keeps what came of them, `summary` has the
statistics and `report` the page. Here, and nowhere nearer to the chain, are floats: what is
measured is exact until it is written down.
"""
