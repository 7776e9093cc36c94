"""The methods of the API: one module for each API, or part of one, and the table of all."""
