"""Why things are as they are: pure answers of declared records, made by the rules' own functions.

`position` explains a position, what would call it and what it would pay; `cut` copies the part of
the state that this depends on and plays margin calls on the copy; `thresholds` finds the prices at
which that turns; `wording` writes amounts, prices and names as people do.
"""
