"""The node's brain, sans I/O: `NodeCore`, its parts, and the effects that it asks the shell for."""
