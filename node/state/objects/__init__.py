"""The objects of the state, one file per family; every field is declared once, with its unit."""
